// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import Foundation
import HTTPTransfer
import Hummingbird
import HummingbirdTesting
import Ledger
import LedgerSQLite
import Logging
import MediaStore
import MediaStoreFiles
import Plumbing
import ResultStoreInProcess
import Testing
import Workflow

@testable import AppAPI

/// An App API of one workflow on embedded parts; the test is its workers.
struct OrchestrationFixture: Sendable {
    /// `first` on alpha, then `second` on beta for each element of what `first` lists.
    static let yaml = """
        app: orchestra
        prefix: OR
        deadline: 1h
        methods:
          play:
            stages:
              first: { service: alpha, input: { $ref: "request#" }, retry: { max_attempts: 1, backoff: 1s } }
              second:
                service: beta
                foreach: { $ref: "first#/list" }
                input: { n: { $ref: "item#" } }
            output: { type: META_DATA, data: { text: { $ref: "first#/text" }, all: { $ref: "second#" } } }
        """

    let api: AppAPI
    let ledger: SQLiteLedger
    let broker = InProcessBroker()
    let results = InProcessResultStore()
    let media = FaultyMedia()
    let handedOver = RecordedHandOver()

    init(backlog: Int = 1000, _ adjust: (inout AppSettings) -> Void = { _ in }) async throws {
        var settings = AppSettings()
        settings.tokens = ["token"]
        adjust(&settings)
        let head = "engine: native\nhandler: echo\nbacklog: \(backlog)\n"
        let alpha = "input: { type: object, properties: { list: { type: array, maxItems: 9 } } }\n"
        let beta = "input: { type: object, required: [n], properties: { n: { type: integer } } }\n"
        let services = [
            try DefinitionLoader.service(yaml: "service: alpha\n" + head + alpha),
            try DefinitionLoader.service(yaml: "service: beta\n" + head + beta),
        ]
        let catalog = AppCatalog(
            apps: [try DefinitionLoader.app(yaml: Self.yaml, services: services)],
            services: services
        )
        ledger = try SQLiteLedger.inMemory()
        try await ledger.migrate()
        let policy = NetworkPolicy.publicOnly(allowing: [])
        api = AppAPI(
            settings: settings,
            catalog: catalog,
            parts: AppParts(
                ledger: ledger,
                broker: broker,
                results: results,
                media: media,
                trustedHTTP: CurlTransfer(),
                guardedHTTP: CurlTransfer(settings: TransferSettings(policy: policy)),
                destinations: policy,
                handOver: handedOver,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            )
        )
        try await api.storeDefinitions()
    }

    /// Runs a body against the routes, with the consumer of completions behind them.
    func serve(_ body: @Sendable (MarketplaceClient) async throws -> Void) async throws {
        var app = Application(router: api.router(), logger: Logger(label: "test"))
        for service in api.services() { app.addServices(service) }
        try await app.test(.router) { client in try await body(MarketplaceClient(client: client)) }
    }

    /// Claims a due job of a service; it must be there.
    func claim(_ service: String) async throws -> Job {
        let claimed = try await ledger.claim(service: service, worker: "w-1", leases: [MeshID()])
        return try #require(claimed.first).job
    }

    /// Publishes the completion of a claimed job, as its worker does.
    func publish(_ job: Job, _ result: JSON, copies: Int = 1) async throws {
        try await publish(job, inline: result.bytes, stored: nil, copies: copies)
    }

    /// Publishes the completion of a claimed job whose result lies in the media store.
    func publish(_ job: Job, stored: Completion.StoredResult, copies: Int = 1) async throws {
        try await publish(job, inline: [], stored: stored, copies: copies)
    }

    private func publish(
        _ job: Job,
        inline: [UInt8],
        stored: Completion.StoredResult?,
        copies: Int
    ) async throws {
        let completion = Completion(
            job: job.id,
            lease: try #require(job.lease),
            failure: nil,
            result: inline,
            storedResult: stored,
            runMilliseconds: 1
        )
        let message = Message(queue: QueueName.completions(app: "orchestra"), body: completion.body)
        try await broker.declare(message.queue)
        try await broker.publish(Array(repeating: message, count: copies))
    }

    /// Stores a result as a worker stores a large one.
    func store(_ result: JSON) async throws -> Completion.StoredResult {
        let bytes = result.bytes
        let stored = try await media.files.store(
            FaultyMedia.stream(bytes),
            key: "derived/\(MeshID())/result.json",
            contentType: "application/json",
            origin: nil,
            limit: bytes.count
        )
        return .init(reference: stored.reference.description, size: stored.size)
    }

    /// The task as it stands.
    func view(_ text: String) async throws -> TaskView {
        let id = try #require(MeshID(text))
        return try #require(try await ledger.task(id))
    }

    /// The task once it has ended.
    func ended(_ text: String) async throws -> TaskRecord {
        while true {
            let task = try await view(text).task
            if task.state != .running { return task }
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    /// Waits until a service's job was handed over.
    func handOver(of service: String) async throws {
        _ = try #require(await handedOver.jobs.first { $0.service == service })
    }
}

extension MarketplaceClient {
    /// Calls the fixture's method.
    func play(_ payload: JSON = [:], request: String? = nil) async throws -> Answer {
        try await send(.post, "/call", ["method": "play", "payload": payload], request: request)
    }
}
