// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// For how many jobs a Service API lets App APIs make tickets, and what it then makes of its counts.
@Suite(.timeLimit(.minutes(1))) struct TicketCreditTests {
    private func handOver(
        _ count: Int,
        to service: String,
        definition: String? = nil,
        asks: CreditAsk? = nil
    ) -> HandOver {
        HandOver(
            entries: (0..<count).map { _ in
                .init(job: MeshID(), service: service, definition: definition ?? "\(service)-1", trace: nil)
            },
            asks: [asks ?? CreditAsk(service: service)]
        )
    }

    @Test func whoeverAsksForACountedServiceGetsCredit() async throws {
        let fixture = try await ServiceFixture()
        let ask = handOver(1, to: "beta").json
        let credit = TicketCredit(service: "beta", jobs: TicketCredit.maxJobs, workers: 1)
        try await fixture.serve { client in
            let early = try await client.handOver(ask)
            #expect(HandOver.Answer(json: early.json) == HandOver.Answer(), "its queue may not be there")
            try await fixture.tickets.countTickets()
            let answer = try await client.handOver(ask)
            #expect(HandOver.Answer(json: answer.json)?.credits == [credit])
            let silent = try await client.handOver(1, to: "beta")
            #expect(HandOver.Answer(json: silent.json) == HandOver.Answer(), "it was not asked for")
        }
    }

    @Test func noCreditIsGivenWhereJobsMustBeHandedOver() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.tickets.countTickets()
        let admission = fixture.admission
        #expect(admission.credits(for: handOver(1, to: "beta", definition: "beta-2")).isEmpty, "another version")
        #expect(admission.credits(for: handOver(1, to: "gamma")).isEmpty, "not served here")
        #expect(admission.credits(for: handOver(1, to: "alpha")).isEmpty, "a backlog of three has no room to share")
        #expect(admission.credits(for: handOver(0, to: "beta")).isEmpty, "no job of it")
        // Workers elsewhere wait to be told of its jobs: here, or at another Service API.
        try await fixture.desk.bell.listening(for: ["beta"]) { _ in
            #expect(admission.credits(for: handOver(1, to: "beta")).isEmpty)
        }
        fixture.desk.bell.learn(remote: ["beta"])
        #expect(admission.credits(for: handOver(1, to: "beta")).isEmpty)
        fixture.desk.bell.learn(remote: [])
        #expect(admission.credits(for: handOver(1, to: "beta")).count == 1)
        await fixture.end()
    }

    /// An App API that can't use its credit asks again and again; nobody is refused anything for that.
    @Test func whatIsNotUsedTakesNoRoom() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.tickets.countTickets()
        for _ in 0..<1000 {
            let credits = fixture.admission.credits(for: handOver(1, to: "beta"))
            #expect(credits.first?.jobs == TicketCredit.maxJobs)
        }
        #expect(fixture.admission.reserve(10_000, of: "beta") == nil)
        #expect(fixture.admission.credits(for: handOver(1, to: "beta")).isEmpty, "now it is full")
        await fixture.end()
    }

    /// What is told of counts at once: no App API may go on and on between two counts.
    @Test func whatIsUsedTakesRoomAsSoonAsItIsTold() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.tickets.countTickets()
        var ask = CreditAsk(service: "beta")
        var used = 0
        while let jobs = fixture.admission.credits(for: handOver(1, to: "beta", asks: ask)).first?.jobs {
            used += jobs
            ask = CreditAsk(service: "beta", jobs: jobs, tickets: jobs)
        }
        // Half of what its queue holds tickets for is less than half of its backlog.
        let limit = QueueAccount.ticketLimit(of: try #require(ServiceFixture.services["beta"])) / 2
        #expect(used > limit && used <= limit + TicketCredit.maxJobs)
        await fixture.end()
    }

    /// Nobody makes 1,000,000 jobs' tickets by a credit.
    @Test func whatCantBeIsNotBelieved() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.tickets.countTickets()
        let told = CreditAsk(service: "beta", jobs: 1_000_000, tickets: 1)
        let twice = HandOver(entries: handOver(1, to: "beta").entries, asks: [told, told])
        #expect(fixture.admission.credits(for: twice).count == 1, "one credit, however often it is asked for")
        let one = ServiceFixture.services["beta"].map(\.ticketSize)
        #expect(fixture.admission.reserve(10_000, of: "beta") == one)
        await fixture.end()
    }

    @Test func aBacklogThatIsMoreThanHalfFullGivesNone() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.tickets.countTickets()
        #expect(fixture.admission.reserve(5000, of: "beta") == nil)
        #expect(fixture.admission.credits(for: handOver(1, to: "beta")).first?.jobs == TicketCredit.maxJobs)
        #expect(fixture.admission.reserve(1, of: "beta") == nil)
        #expect(fixture.admission.credits(for: handOver(1, to: "beta")).isEmpty)
        await fixture.end()
    }

    /// Tickets of its own were for 32 jobs each, those by credit are for one.
    @Test func whatAppAPIsMadeByCreditIsCounted() async throws {
        let wide = ServiceDefinition(
            name: "wide",
            engine: .native(handler: "echo", options: .null),
            concurrency: 64,
            hash: "wide-1"
        )
        let fixture = try await ServiceFixture(services: [wide.name: wide])
        let queue = QueueName.tickets(service: wide.name)
        try await fixture.create(320, service: wide.name)
        try await fixture.tickets.countTickets()
        #expect(try await fixture.takeTickets(10, of: wide.name).count == 10)
        #expect(try await fixture.claim(320, service: wide.name).count == 320)
        // By credit App APIs have made 512 tickets: about as many as are remembered.
        let told = CreditAsk(service: wide.name, jobs: TicketCredit.maxJobs, tickets: TicketCredit.maxJobs)
        for _ in 0..<2 { _ = fixture.admission.credits(for: handOver(1, to: wide.name, asks: told)) }
        try await fixture.create(200, service: wide.name)
        try await fixture.broker.publish(Array(repeating: Message(queue: queue, body: []), count: 100))
        // 100 tickets are for about 160 jobs now, not for 3,200: two more for the rest.
        try await fixture.tickets.countTickets()
        #expect(try await fixture.depth(wide.name) == 102)
        await fixture.end()
    }
}
