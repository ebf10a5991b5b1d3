// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import Ledger
import LedgerSQLite
import Logging
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// Jobs that an App API makes the tickets of by itself, and those that it hands over.
@Suite(.timeLimit(.minutes(1))) struct HandOverCreditTests {
    private let broker = InProcessBroker()
    private let service = ServiceDefinition(
        name: "alpha",
        engine: .native(handler: "echo", options: .null),
        concurrency: 4
    )
    private let queue = QueueName.tickets(service: "alpha")

    /// A desk whose clock stands still, that has been given credit for so many jobs.
    private func desk(credit: Int, _ port: RecordedHandOver) async throws -> HandOverDesk {
        try await broker.declare(queue)
        let now = ContinuousClock.now
        let desk = HandOverDesk(
            port: port,
            broker: broker,
            ledger: try SQLiteLedger.inMemory(),
            catalog: AppCatalog(apps: [], services: [service]),
            clock: { now },
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let first = jobs(1)
        desk.enqueue(first)
        #expect(await port.jobs.first { _ in true }?.job == first[0].id)
        try await until { desk.credits.left(of: "alpha", at: now) == credit }
        #expect(try await broker.depth(of: queue) == 0)
        return desk
    }

    private func port(_ credit: Int, workers: Int = 1) -> RecordedHandOver {
        RecordedHandOver(credits: [TicketCredit(service: "alpha", jobs: credit, workers: workers)])
    }

    private func jobs(_ count: Int, trace: String? = nil) -> [Job] {
        (0..<count).map { _ in
            var job = Job(id: MeshID(), service: "alpha", createdAt: .now)
            job.trace = trace
            return job
        }
    }

    /// Takes so many tickets out of the queue.
    private func tickets(_ messages: Int) async throws -> [Delivery] {
        let deliveries = BrokerDeliveries()
        let subscription = try await broker.consume(queue, prefetch: 100) { deliveries.take($0) }
        try await deliveries.wait(for: messages)
        await subscription.cancel()
        return deliveries.all
    }

    @Test func theFirstJobIsHandedOverAndWhatFollowsGetsItsTicketsHere() async throws {
        let port = port(5, workers: 2)
        let desk = try await desk(credit: 5, port)
        let single = jobs(1, trace: "00-a-b-01")[0]
        let several = jobs(4)
        desk.enqueue([single])
        desk.enqueue(several)
        let taken = try await tickets(3)
        #expect(taken.map { Ticket(body: $0.body).count } == [1, 2, 2])
        #expect(taken.map { Ticket(body: $0.body).job } == [single.id, several[0].id, several[2].id])
        #expect(taken.map(\.trace) == [single.trace, nil, nil])
        // The credit is spent.
        let last = jobs(1)[0]
        desk.enqueue([last])
        #expect(await port.jobs.first { _ in true }?.job == last.id)
    }

    @Test func manyJobsAtOnceAreHandedOverThoughThereIsCredit() async throws {
        let port = port(200)
        let desk = try await desk(credit: 200, port)
        let many = jobs(TicketCredit.group + 1)
        desk.enqueue(many)
        for job in many { #expect(await port.jobs.first { _ in true }?.job == job.id) }
        #expect(try await broker.depth(of: queue) == 0)
    }

    @Test func jobsAreHandedOverWhileTheBrokerTakesNoTickets() async throws {
        let port = port(200)
        let desk = try await desk(credit: 200, port)
        await broker.close()
        let job = jobs(1)[0]
        desk.enqueue([job])
        #expect(await port.jobs.first { _ in true }?.job == job.id)
    }

    @Test func jobsThatWaitForTheirTimeGetNoTicket() async throws {
        let port = port(10)
        let desk = try await desk(credit: 10, port)
        var later = jobs(1)[0]
        later.runAfter = .now + .seconds(60)
        let due = jobs(1)[0]
        desk.enqueue([later, due])
        let tickets = try await tickets(1)
        #expect(tickets.map { Ticket(body: $0.body).job } == [due.id])
    }
}
