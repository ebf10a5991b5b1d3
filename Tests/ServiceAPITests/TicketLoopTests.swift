// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// Tickets are made from the ledger where they are missing, and only there.
@Suite(.timeLimit(.minutes(1))) struct TicketLoopTests {
    @Test func theDifferenceIsPublishedOnce() async throws {
        let fixture = try await ServiceFixture()
        let jobs = try await fixture.create(5, service: "beta")
        let handOver = HandOver(
            entries: jobs.prefix(2).map { .init(job: $0.id, service: "beta", definition: "", trace: nil) }
        )
        #expect(fixture.admission.take(handOver).isEmpty)
        #expect(try await fixture.depth("beta") == 2)
        // The first turn publishes the three that are missing, the others nothing.
        for _ in 0..<3 {
            try await fixture.tickets.countTickets()
            #expect(try await fixture.depth("beta") == 5)
        }
        #expect(try await fixture.depth("alpha") == 0)
        await fixture.end()
    }

    @Test func lostTicketsAreReplaced() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.create(4)
        try await fixture.tickets.countTickets()
        // Taken and acknowledged without a claim: a worker that died between the two, or a broker that lost its data.
        _ = try await fixture.takeTickets(4)
        #expect(try await fixture.depth() == 0)
        let loop = Task { try await fixture.tickets.run() }
        let tickets = try await fixture.takeTickets(4)
        #expect(tickets.allSatisfy { Ticket(body: $0.body).job == nil })
        loop.cancel()
        _ = try await loop.value
        await fixture.end()
    }

    @Test func onlyDueJobsThatWaitGetTickets() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.create(2)
        try await fixture.create(3) { job, _ in job.runAfter = .now + .seconds(3600) }
        #expect(try await fixture.claim(1).count == 1)
        try await fixture.tickets.countTickets()
        #expect(try await fixture.depth() == 1)
        await fixture.end()
    }

    @Test func aMissingQueueIsMade() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.create(2)
        let broker = InProcessBroker()
        var parts = fixture.parts
        parts.broker = broker
        let api = ServiceAPI(settings: ServiceSettings(services: ServiceFixture.services), parts: parts)
        try await api.tickets.countTickets()
        #expect(try await broker.depth(of: QueueName.tickets(service: "alpha")) == 2)
        #expect(try await broker.depth(of: QueueName.tickets(service: "beta")) == 0)
        await fixture.end()
    }

    @Test func aQueueThatNobodyEmptiesGetsNoFurtherTickets() async throws {
        let fixture = try await ServiceFixture()
        let limit = TicketLoop.surplusLimit
        let queue = QueueName.tickets(service: "beta")
        // The jobs of these were claimed over HTTP.
        try await fixture.broker.publish(Array(repeating: Message(queue: queue, body: []), count: limit + 2))
        let jobs = try await fixture.create(1, service: "beta")
        try await fixture.tickets.countTickets()
        fixture.admission.post(jobs)
        #expect(try await fixture.depth("beta") == limit + 2)
        _ = try await fixture.takeTickets(limit + 2, of: "beta")
        try await fixture.tickets.countTickets()
        #expect(try await fixture.depth("beta") == 1)
        fixture.admission.post(jobs)
        #expect(try await fixture.depth("beta") == 2)
        await fixture.end()
    }

    @Test func aRemoteServiceHasNoTickets() async throws {
        let fixture = try await ServiceFixture.jobs()
        let jobs = try await fixture.create(3, service: "chat")
        fixture.admission.post(jobs)
        try await fixture.tickets.countTickets()
        let handOver = HandOver(entries: jobs.map { .init(job: $0.id, service: "chat", definition: "", trace: nil) })
        #expect(fixture.admission.take(handOver).isEmpty)
        #expect(try await fixture.depth("chat") == 0)
        await fixture.end()
    }

    /// Neither a hand-over nor a count fills a queue beyond the limit, and both fill it up again once it is emptier.
    @Test func aGiantsTicketsAreMadeAsTheyAreTaken() async throws {
        let fixture = try await ServiceFixture()
        let limit = QueueAccount.ticketLimit(of: try #require(ServiceFixture.services["beta"]))
        let jobs = try await fixture.create(limit + 10, service: "beta")
        let handOver = HandOver(entries: jobs.map { .init(job: $0.id, service: "beta", definition: "", trace: nil) })
        #expect(fixture.admission.take(handOver).isEmpty)
        #expect(try await fixture.depth("beta") == limit)
        try await fixture.tickets.countTickets()
        #expect(try await fixture.depth("beta") == limit)
        #expect(try await fixture.takeTickets(limit, of: "beta").count == limit)
        fixture.admission.post(Array(jobs.prefix(3)))
        #expect(try await fixture.depth("beta") == 0, "what was taken is not known before the next count")
        try await fixture.tickets.countTickets()
        #expect(try await fixture.depth("beta") == limit)
        #expect(fixture.admission.reserve(Int.max / 2, of: "beta") == limit + 10, "all that is due counts as waiting")
        await fixture.end()
    }

    @Test func theTimersGoOnWhileTheBrokerIsAway() async throws {
        let fixture = try await ServiceFixture()
        await fixture.broker.close()
        let loop = Task { try await fixture.tickets.run() }
        try await until { fixture.logs.count("tickets can't be watched now") == 1 }
        let job = try await fixture.create { job, _ in job.deadline = .now }[0]
        try await until { try await fixture.ledger.job(job.id)?.job.state == .timedOut }
        loop.cancel()
        _ = try await loop.value
        #expect(fixture.logs.count("tickets can't be watched now") == 1)
        await fixture.end()
    }

    @Test func aLedgerThatIsAwayIsLoggedOnce() async throws {
        let fixture = try await ServiceFixture()
        await fixture.ledger.close()
        let loop = Task { try await fixture.tickets.run() }
        try await until { fixture.logs.count("the timers can't reach the ledger") == 1 }
        try await until { fixture.logs.count("tickets can't be watched now") == 1 }
        loop.cancel()
        _ = try await loop.value
        #expect(fixture.logs.all.count == 2)
        await fixture.end()
    }

    @Test func roomIsCountedAnewWhileTheBrokerIsAway() async throws {
        let fixture = try await ServiceFixture()
        #expect(fixture.admission.reserve(3, of: "alpha") == nil)
        #expect(fixture.admission.reserve(1, of: "alpha") == 3)
        await fixture.broker.close()
        await #expect(throws: BrokerError.self) { try await fixture.tickets.countTickets() }
        // Nothing waits in the ledger, in none of the services.
        #expect(fixture.admission.reserve(3, of: "alpha") == nil)
        await fixture.end()
    }
}
