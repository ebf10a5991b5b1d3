// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import Callbacks
import Fairness
import Foundation
import HTTPTransfer
import Hummingbird
import HummingbirdTesting
import Ledger
import LedgerSQLite
import MediaStoreFiles
import Plumbing
import ResultStore
import ResultStoreInProcess
import Testing
import Workflow

@testable import ServiceAPI

/// RunPod's endpoints and the job contract over one core on embedded parts, behind a real HTTP server; workers are
/// played by the tests.
struct RunPodClientFixture: Sendable {
    static let services: [ServiceDefinition] = [
        make("talk") { $0.takes = [.init(taskType: "talking", modelProfile: "small")] },
        make("plain"),
        make("grace") { $0.modules = ["asr", "OCR"] },
        make("grace-tts") { $0.modules = ["tts"] },
        make("vectors") { $0.modules = ["embeddings"] },
        make("judge") { $0.modules = ["verdict"] },
        make("chat", engine: .openai(providers: [], options: .null)),
        make("narrow") { $0.backlog = 2 },
    ]

    private static func make(
        _ name: String,
        engine: ServiceDefinition.Engine = .remote,
        _ edit: (inout ServiceDefinition) -> Void = { _ in }
    ) -> ServiceDefinition {
        var service = ServiceDefinition(name: name, engine: engine)
        edit(&service)
        return service
    }

    let folder: URL
    let api: ServiceAPI
    let parts: ServiceParts
    let settings: ServiceSettings
    let logs = RecordedLogs()

    var desk: JobDesk { api.desk }

    init(
        tokens: [String] = [],
        schemas: [String: JSON] = [:],
        webhooks: NetworkPolicy = .anywhere,
        limits: String? = nil
    ) async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("malla-runpod-client-\(MeshID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let ledger = try SQLiteLedger(path: folder.appendingPathComponent("ledger.sqlite").path)
        try await ledger.migrate()
        let logger = logs.logger
        let transfer = CurlTransfer()
        let results = InProcessResultStore()
        let file = folder.appendingPathComponent("limits.yaml")
        if let limits { try Data(limits.utf8).write(to: file) }
        parts = ServiceParts(
            ledger: ledger,
            broker: InProcessBroker(),
            results: results,
            media: FilesMediaStore(folder: folder.path + "/media", bucket: "m", baseURL: "http://m", secret: [1]),
            trustedHTTP: transfer,
            ranking: FairRanking(ledger: ledger),
            limits: LimitGate(
                file: try limits.map { _ in try LimitsFile(path: file.path) },
                results: results,
                ledger: ledger
            ),
            callbacks: CallbackSender(
                delivery: CallbackDelivery(
                    settings: CallbackSettings(),
                    trusted: transfer,
                    guarded: transfer,
                    ledger: ledger,
                    logger: logger
                )
            ),
            destinations: webhooks,
            metrics: { "" },
            logger: logger
        )
        var services = Dictionary(uniqueKeysWithValues: Self.services.map { ($0.name, $0) })
        for (name, schema) in schemas { services[name]?.input = try JSONSchema(schema) }
        settings = ServiceSettings(services: services, serviceTokens: tokens)
        api = ServiceAPI(settings: settings, parts: parts)
    }

    /// Runs a body against the routes behind a real socket, then another once the server has stopped, then removes
    /// everything.
    func serve(
        after: @Sendable () async throws -> Void = {},
        _ body: @escaping @Sendable (ServiceClient) async throws -> Void
    ) async throws {
        let calls = RunPodClientRoutes(desk: desk, settings: settings, webhooks: parts.destinations)
        let table = RouteTable(
            routes: calls.routes + JobRoutes(desk: desk, settings: settings).routes,
            access: AccessCheck(service: NamedTokens(settings.serviceTokens), mesh: NamedTokens([])),
            limits: parts.limits
        )
        let app = Application(router: table.router(), logger: logs.logger)
        try await app.test(.live) { client in
            try await body(ServiceClient(base: "http://127.0.0.1:\(try #require(client.port))"))
        }
        try await after()
        await parts.broker.close()
        await parts.ledger.close()
        try? FileManager.default.removeItem(at: folder)
    }

    // MARK: Workers

    /// Claims a service's next job as a worker elsewhere would; waits for one.
    func claim(_ service: String) async throws -> JobRecord {
        let records = try await desk.claim(services: [service], worker: "w", limit: 1, wait: .seconds(30))
        return try #require(records.first)
    }

    /// Claims a service's next job and hands in what `body` makes of its input.
    @discardableResult
    func work(_ service: String, _ body: @Sendable (JSON) throws -> JSON) async throws -> JobRecord {
        let record = try await claim(service)
        let holder = JobHolder(worker: "w", lease: record.job.lease)
        let input = try JSON(parsing: record.input)
        do {
            let result = try body(input)
            return try await desk.complete(record.job.id, by: holder, result: result, usage: JobUsage(costUSD: 0.002))
        } catch let error as JobError {
            return try await desk.fail(record.job.id, by: holder, error)
        }
    }

    /// Tells something under a claimed job's lease, as its worker would.
    func tell(_ record: JobRecord, _ events: [HandlerEvent]) throws {
        let lease = try #require(record.job.lease)
        for event in events {
            let key = ResultKey(.events, record.job.id, lease: lease)
            parts.results.append(event.bytes, to: key, timeToLive: .seconds(60))
        }
    }

    func job(_ id: String) async throws -> Job {
        try await desk.find(id).job
    }
}

extension ServiceClient {
    /// Submits a job and returns its id.
    func run(_ endpoint: String, _ body: JSON) async throws -> String {
        let answer = try await send("POST", "/v2/\(endpoint)/run", body.bytes)
        #expect(answer.status == 200 && answer.json["status"] == "IN_QUEUE", "\(answer.text)")
        return try #require(answer.json["id"]?.string)
    }

    func status(_ endpoint: String, _ id: String) async throws -> JSON {
        let answer = try await send("GET", "/v2/\(endpoint)/status/\(id)")
        #expect(answer.status == 200, "\(answer.text)")
        return answer.json
    }

    func stream(_ endpoint: String, _ id: String) async throws -> (status: String?, parts: [JSON]?) {
        let answer = try await send("GET", "/v2/\(endpoint)/stream/\(id)")
        return (answer.json["status"]?.string, answer.json["stream"]?.array)
    }
}
