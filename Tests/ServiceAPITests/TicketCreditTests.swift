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
    private func handOver(_ count: Int, to service: String, definition: String? = nil) -> HandOver {
        HandOver(
            entries: (0..<count).map { _ in
                .init(job: MeshID(), service: service, definition: definition ?? "\(service)-1", trace: nil)
            }
        )
    }

    @Test func aFewJobsOfACountedServiceBringCredit() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            let early = try await client.handOver(1, to: "beta")
            #expect(HandOver.Answer(json: try #require(early.json)) == HandOver.Answer(), "its queue may not be there")
            try await fixture.tickets.countTickets()
            let answer = try await client.handOver(TicketCredit.group, to: "beta")
            let credit = TicketCredit(service: "beta", jobs: TicketCredit.maxJobs, workers: 1)
            #expect(HandOver.Answer(json: try #require(answer.json))?.credits == [credit])
        }
    }

    @Test func noCreditIsGivenWhereJobsMustBeHandedOver() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.tickets.countTickets()
        let admission = fixture.admission
        #expect(admission.credits(after: handOver(TicketCredit.group + 1, to: "beta")).isEmpty, "many at once")
        #expect(admission.credits(after: handOver(1, to: "beta", definition: "beta-2")).isEmpty, "another version")
        #expect(admission.credits(after: handOver(1, to: "gamma")).isEmpty, "not served here")
        #expect(admission.credits(after: handOver(1, to: "alpha")).isEmpty, "a backlog of three has no room to share")
        #expect(admission.credits(after: HandOver(entries: [])).isEmpty)
        // Workers elsewhere wait to be told of its jobs: here, or at another Service API.
        try await fixture.desk.bell.listening(for: ["beta"]) { _ in
            #expect(admission.credits(after: handOver(1, to: "beta")).isEmpty)
        }
        fixture.desk.bell.learn(remote: ["beta"])
        #expect(admission.credits(after: handOver(1, to: "beta")).isEmpty)
        fixture.desk.bell.learn(remote: [])
        #expect(admission.credits(after: handOver(1, to: "beta")).count == 1)
        await fixture.end()
    }

    @Test func creditsFillNoBacklogAndWhatIsNotUsedLapsesWithTheNextCount() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.tickets.countTickets()
        var given = 0
        for _ in 0..<10_000 { given += fixture.admission.credits(after: handOver(1, to: "beta")).first?.jobs ?? 0 }
        // A queue's tickets are the nearer limit here.
        let limit = QueueAccount.ticketLimit(of: try #require(ServiceFixture.services["beta"]))
        #expect(given > limit * 9 / 10 && given < limit)
        // What was given counts as waiting.
        #expect(fixture.admission.reserve(10_000 - given + 1, of: "beta") == given)
        #expect(fixture.admission.reserve(10_000 - given, of: "beta") == nil)
        #expect(fixture.admission.credits(after: handOver(1, to: "beta")).isEmpty)
        try await fixture.tickets.countTickets()
        #expect(fixture.admission.credits(after: handOver(1, to: "beta")).first?.jobs == TicketCredit.maxJobs)
        await fixture.end()
    }

    /// Tickets of its own were for 32 jobs each, those by credit are for one: they must not be taken for a surplus.
    @Test func ticketsByCreditAreCountedForOneJobEach() async throws {
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
        #expect(fixture.admission.credits(after: handOver(1, to: wide.name)).first?.jobs == TicketCredit.maxJobs)
        // By credit an App API makes 200 tickets; the jobs of 100 others have none.
        try await fixture.create(300, service: wide.name)
        try await fixture.broker.publish(Array(repeating: Message(queue: queue, body: []), count: 200))
        for _ in 0..<2 {
            try await fixture.tickets.countTickets()
            let depth = try #require(try await fixture.depth(wide.name))
            #expect(depth >= 200 + 4)
        }
        await fixture.end()
    }
}
