// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// `POST /mesh/v1/jobs` with what it takes: tickets, limits, definitions.
@Suite(.timeLimit(.minutes(1))) struct HandOverTests {
    @Test func everyJobGetsOneTicketInItsQueueWithItsTrace() async throws {
        let fixture = try await ServiceFixture()
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let entries = [("alpha", trace), ("beta", nil), ("alpha", nil)].map { service, trace in
            HandOver.Entry(job: MeshID(), service: service, definition: "\(service)-1", trace: trace)
        }
        try await fixture.serve { client in
            let answer = try await client.handOver(HandOver(entries: entries).json)
            #expect(answer.status == 200 && answer.refused == [])
            let alpha = try await fixture.takeTickets(2)
            #expect(alpha.map { Ticket(body: $0.body).job } == [entries[0].job, entries[2].job])
            #expect(alpha.map(\.trace) == [trace, nil])
            let beta = try await fixture.takeTickets(1, of: "beta")
            #expect(beta.map { Ticket(body: $0.body).job } == [entries[1].job])
            #expect(try await fixture.depth() == 0)
            #expect(try await fixture.depth("beta") == 0)
        }
    }

    /// The broker's work is by the message; a service whose workers take one job at a time is served as before.
    @Test func jobsOfAServiceWithManySlotsShareTickets() async throws {
        let wide = ServiceDefinition(name: "wide", engine: .native(handler: "echo", options: .null), concurrency: 5)
        let fixture = try await ServiceFixture(services: [wide.name: wide])
        let jobs = try await fixture.create(11, service: wide.name)
        let handOver = HandOver(
            entries: jobs.map { .init(job: $0.id, service: wide.name, definition: "", trace: "trace-\($0.id)") }
        )
        #expect(fixture.admission.take(handOver).isEmpty)
        let tickets = try await fixture.takeTickets(3, of: wide.name)
        #expect(tickets.map { Ticket(body: $0.body).count } == [5, 5, 1])
        #expect(tickets.map { Ticket(body: $0.body).job } == [jobs[0].id, jobs[5].id, jobs[10].id])
        #expect(tickets.map(\.trace) == [nil, nil, jobs.last.map { "trace-\($0.id)" }])
        // All of them were lost: as many are made again.
        try await fixture.tickets.countTickets()
        #expect(try await fixture.depth(wide.name) == 3)
        try await fixture.tickets.countTickets()
        #expect(try await fixture.depth(wide.name) == 3)
        // Two workers get their share of a few.
        fixture.admission.account(of: wide.name) { $0.note(workers: 2) }
        _ = try await fixture.takeTickets(3, of: wide.name)
        #expect(fixture.admission.take(HandOver(entries: Array(handOver.entries.prefix(4)))).isEmpty)
        #expect(try await fixture.takeTickets(2, of: wide.name).map { Ticket(body: $0.body).count } == [2, 2])
        await fixture.end()
    }

    @Test func anEmptyListIsTaken() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            let answer = try await client.handOver(["jobs": []])
            #expect(answer.status == 200 && answer.refused == [])
        }
    }

    @Test func tenThousandJobsAreTakenAndNotOneMore() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            let answer = try await client.handOver(10_000, to: "beta")
            #expect(answer.status == 200 && answer.refused == [])
            #expect(
                try await fixture.depth("beta")
                    == QueueAccount.ticketLimit(of: try #require(ServiceFixture.services["beta"])),
                "the rest is made as these are taken"
            )
            #expect(try await client.handOver(1, to: "beta").status == 429)
            #expect(
                try await fixture.depth("beta")
                    == QueueAccount.ticketLimit(of: try #require(ServiceFixture.services["beta"]))
            )
        }
    }

    @Test func aPartlyRefusedBatchTellsWhichJobsWereNotTaken() async throws {
        let fixture = try await ServiceFixture()
        let jobs = (0..<5).map { _ in MeshID() }
        let entries = jobs.map { HandOver.Entry(job: $0, service: "alpha", definition: "", trace: nil) }
        try await fixture.serve { client in
            let answer = try await client.handOver(HandOver(entries: entries).json)
            #expect(answer.status == 200)
            let refused = try #require(answer.refused).compactMap(HandOver.Refusal.init(json:))
            #expect(refused.map(\.job) == Array(jobs[3...]))
            let isExplained = refused.allSatisfy { $0.reason.contains("'alpha' is full: 3 jobs wait, 3 are allowed") }
            #expect(isExplained && refused.allSatisfy { $0.retryAfter == .seconds(2) })
            #expect(try await fixture.depth() == 3)
        }
    }

    @Test func aFullBacklogPushesBackAndTakesAgainOnceItIsFreed() async throws {
        let fixture = try await ServiceFixture()
        let jobs = try await fixture.create(3)
        let entries = jobs.map { HandOver.Entry(job: $0.id, service: "alpha", definition: "alpha-1", trace: nil) }
        try await fixture.serve { client in
            #expect(try await client.handOver(HandOver(entries: entries).json).status == 200)
            let full = try await client.handOver(2)
            #expect(full.isProblem(429) && full["retry-after"] == "2")
            let refused = try #require(full.refused).compactMap(HandOver.Refusal.init(json:))
            #expect(refused.count == 2 && refused.allSatisfy { $0.reason.contains("is full") })
            // Other services are not held up, and a batch that has a job of theirs is not pushed back as a whole.
            #expect(try await client.handOver(1, to: "beta").status == 200)
            let mixed = HandOver(
                entries: ["alpha", "beta"].map { .init(job: MeshID(), service: $0, definition: "", trace: nil) }
            )
            let answer = try await client.handOver(mixed.json)
            #expect(answer.status == 200 && answer.refused?.count == 1)

            try await fixture.tickets.countTickets()
            #expect(try await client.handOver(1).status == 429)
            #expect(try await fixture.claim(2).count == 2)
            try await fixture.tickets.countTickets()
            #expect(try await client.handOver(2).tookAll)
            #expect(try await client.handOver(1).status == 429)
        }
        // One line when it fills and one when it has room, however many jobs were refused.
        #expect(fixture.logs.count("a backlog is full") == 2 && fixture.logs.count("a backlog has room again") == 1)
    }

    @Test func aServiceThatIsNotServedIsRefusedByName() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            let answer = try await client.handOver(2, to: "gamma")
            #expect(answer.status == 200 && answer.refused?.count == 2)
            let reason = answer.refused?.first?["reason"]?.string ?? ""
            #expect(reason.contains("'gamma'") && reason.contains("alpha, beta"))
            let long = try await client.handOver(1, to: String(repeating: "x", count: 1_000_000))
            #expect(long.status == 200 && long.text.utf8.count < 1000)
        }
    }

    @Test func anotherVersionOfADefinitionIsTakenAndLoggedOnce() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            for _ in 0..<3 {
                let answer = try await client.handOver(100, to: "beta", definition: "beta-2")
                #expect(answer.tookAll)
            }
            #expect(fixture.logs.count("an App API knows another version") == 1)
            #expect(try await client.handOver(1, to: "beta", definition: "beta-3").tookAll)
            #expect(try await client.handOver(1, to: "beta", definition: "").tookAll)
            #expect(fixture.logs.count("an App API knows another version") == 2)
            #expect(try await fixture.depth("beta") == 302)
        }
    }

    @Test func jobsAreTakenWhileTheBrokerIsAway() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            await fixture.broker.close()
            // Their tickets are lost; the ticket loop makes new ones from the ledger.
            let answer = try await client.handOver(1)
            #expect(answer.tookAll)
        }
    }
}
