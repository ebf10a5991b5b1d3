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
import Logging
import MallaTestKit
import MediaStoreFiles
import Plumbing
import ResultStoreInProcess
import Testing
import Workflow

@testable import ServiceAPI

/// One Service API of the services alpha and beta on embedded parts, behind a real HTTP server.
struct ServiceFixture: Sendable {
    static let services: [String: ServiceDefinition] = [
        "alpha": ServiceDefinition(
            name: "alpha",
            engine: .native(handler: "echo", options: .null),
            backlog: 3,
            hash: "alpha-1"
        ),
        "beta": ServiceDefinition(
            name: "beta",
            engine: .native(handler: "echo", options: .null),
            backlog: 10_000,
            hash: "beta-1"
        ),
    ]

    let api: ServiceAPI
    let parts: ServiceParts
    let logs = RecordedLogs()
    let folder: URL

    var ledger: any Ledger { parts.ledger }
    var broker: any Broker { parts.broker }
    var desk: JobDesk { api.desk }
    var admission: Admission { api.admission }
    var tickets: TicketLoop { api.tickets }
    var workers: RunPodWorkerRoutes { api.workers }

    /// Makes one whose tickets are watched only when a test says so, or every `period` once `tickets` runs.
    init(
        services: [String: ServiceDefinition] = Self.services,
        meshTokens: [String] = ["mesh"],
        serviceTokens: [String] = [],
        maxBody: Int = 10 << 20,
        broker: any Broker = InProcessBroker(),
        limits: String? = nil,
        period: Duration = .milliseconds(5),
        edit: (inout ServiceSettings) -> Void = { _ in }
    ) async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("malla-service-api-\(MeshID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let ledger = try SQLiteLedger(path: folder.appendingPathComponent("ledger.sqlite").path)
        try await ledger.migrate()
        let results = InProcessResultStore()
        let logger = logs.logger
        let transfer = CurlTransfer()
        var file: LimitsFile?
        if let limits {
            let path = folder.appendingPathComponent("limits.yaml")
            try limits.write(to: path, atomically: true, encoding: .utf8)
            file = try LimitsFile(path: path.path)
        }
        parts = ServiceParts(
            ledger: ledger,
            broker: broker,
            results: results,
            media: FilesMediaStore(folder: folder.path + "/media", bucket: "m", baseURL: "http://m", secret: [1]),
            trustedHTTP: transfer,
            ranking: FairRanking(ledger: ledger, logger: logger),
            limits: LimitGate(file: file, results: results, ledger: ledger, logger: logger),
            callbacks: CallbackSender(
                delivery: CallbackDelivery(
                    settings: CallbackSettings(),
                    trusted: transfer,
                    guarded: transfer,
                    ledger: ledger,
                    logger: logger
                )
            ),
            metrics: { "malla_test 1\n" },
            logger: logger
        )
        var settings = ServiceSettings(
            services: services,
            meshTokens: meshTokens,
            serviceTokens: serviceTokens,
            maxBody: maxBody
        )
        edit(&settings)
        api = ServiceAPI(settings: settings, parts: parts, period: period)
        for service in services.keys { try await broker.declare(QueueName.tickets(service: service)) }
    }

    /// Runs a body against the routes behind a real socket, then removes everything.
    ///
    /// - Parameter isRunning: whether the long-running parts run as well.
    func serve(
        _ api: ServiceAPI? = nil,
        isRunning: Bool = false,
        _ body: @Sendable (ServiceClient) async throws -> Void
    ) async throws {
        let api = api ?? self.api
        let app = Application(
            router: api.router(),
            services: isRunning ? api.services() : [],
            logger: logs.logger
        )
        try await app.test(.live) { client in
            try await body(ServiceClient(base: "http://127.0.0.1:\(try #require(client.port))"))
        }
        await end()
    }

    /// Closes the parts and removes the ledger.
    func end() async {
        await broker.close()
        await ledger.close()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Creates waiting jobs.
    @discardableResult
    func create(
        _ count: Int = 1,
        service: String = "alpha",
        edit: (inout Job, Int) -> Void = { _, _ in }
    )
        async throws -> [Job]
    {
        let now = Timestamp.now
        let jobs = (0..<count).map { index in
            var job = Job(id: MeshID(at: now + .milliseconds(index)), service: service, createdAt: now)
            edit(&job, index)
            return job
        }
        try await ledger.create(jobs.map { JobRecord(job: $0, input: Array(#"{"n":1}"#.utf8)) })
        return jobs
    }

    /// Claims a service's due jobs as a worker would.
    func claim(_ count: Int, service: String = "alpha") async throws -> [Job] {
        let leases = (0..<count).map { _ in MeshID() }
        return try await ledger.claim(service: service, worker: "w-1", leases: leases).map(\.job)
    }

    func depth(_ service: String = "alpha") async throws -> Int? {
        try await broker.depth(of: QueueName.tickets(service: service))
    }

    /// Takes the tickets that wait, without settling them, once there are `count`.
    func takeTickets(_ count: Int, of service: String = "alpha") async throws -> [Delivery] {
        let deliveries = BrokerDeliveries()
        let subscription = try await broker.consume(QueueName.tickets(service: service), prefetch: 65_535) {
            deliveries.take($0)
        }
        try await deliveries.wait(for: count)
        subscription.settle(deliveries.all.map(\.tag), .acknowledged)
        await subscription.cancel()
        return deliveries.all
    }
}
