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

    private func desk(_ port: any JobHandOver) throws -> HandOverDesk {
        HandOverDesk(
            port: port,
            broker: broker,
            ledger: try SQLiteLedger.inMemory(),
            catalog: AppCatalog(apps: [], services: [service]),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
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
        let port = RecordedHandOver(credits: [TicketCredit(service: "alpha", jobs: 5, workers: 2)])
        let desk = try desk(port)
        try await broker.declare(queue)
        let first = jobs(1)[0]
        desk.enqueue([first])
        var handedOver = port.jobs.makeAsyncIterator()
        #expect(await handedOver.next()?.job == first.id)
        let single = jobs(1, trace: "00-a-b-01")[0]
        let several = jobs(4)
        // The credit comes with the answer, which the desk reads by itself.
        try await until {
            desk.enqueue([single])
            return try await broker.depth(of: queue) == 1
        }
        desk.enqueue(several)
        let taken = try await tickets(3)
        #expect(taken.map { Ticket(body: $0.body).count } == [1, 2, 2])
        #expect(taken.map { Ticket(body: $0.body).job } == [single.id, several[0].id, several[2].id])
        #expect(taken.map(\.trace) == [single.trace, nil, nil])
        // The credit is spent.
        let last = jobs(1)[0]
        desk.enqueue([last])
        var next = await handedOver.next()
        while next?.job == single.id { next = await handedOver.next() }
        #expect(next?.job == last.id)
    }

    @Test func manyJobsAtOnceAreHandedOverThoughThereIsCredit() async throws {
        let port = RecordedHandOver(credits: [TicketCredit(service: "alpha", jobs: 200, workers: 1)])
        let desk = try desk(port)
        try await broker.declare(queue)
        var handedOver = port.jobs.makeAsyncIterator()
        for _ in 0..<3 {
            let many = jobs(TicketCredit.group + 1)
            desk.enqueue(many)
            for job in many { #expect(await handedOver.next()?.job == job.id) }
        }
        #expect(try await broker.depth(of: queue) == 0)
    }

    @Test func jobsAreHandedOverWhileTheBrokerTakesNoTickets() async throws {
        let port = RecordedHandOver(credits: [TicketCredit(service: "alpha", jobs: 200, workers: 1)])
        let desk = try desk(port)
        try await broker.declare(queue)
        desk.enqueue(jobs(1))
        try await until {
            desk.enqueue(jobs(1))
            return try await broker.depth(of: queue) == 1
        }
        await broker.close()
        let job = jobs(1)[0]
        desk.enqueue([job])
        #expect(await port.jobs.first { $0.job == job.id } != nil)
    }

    @Test func jobsThatWaitForTheirTimeGetNoTicket() async throws {
        let port = RecordedHandOver()
        let desk = try desk(port)
        var later = jobs(1)[0]
        later.runAfter = .now + .seconds(60)
        let due = jobs(1)[0]
        desk.enqueue([later, due])
        #expect(await port.jobs.first { _ in true }?.job == due.id)
    }
}
