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
import MallaTestKit
import Plumbing
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
    let ledger: any Ledger
    let broker: any Broker = InProcessBroker()
    let admission: Admission
    let tickets: TicketLoop
    let logs = RecordedLogs()
    let folder: URL

    /// Makes one whose tickets are watched only when a test says so, or every `period` once `tickets` runs.
    init(
        meshTokens: [String] = ["mesh"],
        serviceTokens: [String] = [],
        maxBody: Int = 10 << 20,
        period: Duration = .milliseconds(5)
    ) async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("malla-service-api-\(MeshID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        ledger = try SQLiteLedger(path: folder.appendingPathComponent("ledger.sqlite").path)
        try await ledger.migrate()
        let logger = logs.logger
        admission = Admission(services: Self.services, broker: broker, logger: logger)
        tickets = TicketLoop(
            services: Array(Self.services.keys),
            ledger: ledger,
            broker: broker,
            admission: admission,
            timers: LedgerTimers(ledger: ledger, apps: nil),
            logger: logger,
            period: period
        )
        api = ServiceAPI(
            settings: ServiceSettings(
                services: Self.services,
                meshTokens: meshTokens,
                serviceTokens: serviceTokens,
                maxBody: maxBody
            ),
            ledger: ledger,
            broker: broker,
            admission: admission,
            metrics: { "malla_test 1\n" }
        )
        for service in Self.services.keys { try await broker.declare(QueueName.tickets(service: service)) }
    }

    /// Runs a body against the routes behind a real socket, then removes everything.
    func serve(_ body: @Sendable (ServiceClient) async throws -> Void) async throws {
        let app = Application(router: api.router(), logger: logs.logger)
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
