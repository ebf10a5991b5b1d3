// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// What an App API may spend of the credits it was given.
@Suite struct TicketCreditsTests {
    private let start = ContinuousClock.now

    private func credit(_ jobs: Int, workers: Int = 1, for duration: Duration = .seconds(1)) -> TicketCredit {
        TicketCredit(service: "alpha", jobs: jobs, workers: workers, duration: duration)
    }

    private let service = ServiceDefinition(name: "alpha", engine: .remote, concurrency: 8)

    private func jobs(_ count: Int) -> [(job: JobID, trace: String?)] { (0..<count).map { _ in (MeshID(), nil) } }

    private func entries(_ count: Int, of service: String = "alpha") -> [HandOver.Entry] {
        jobs(count).map { .init(job: $0.job, service: service, definition: "", trace: nil) }
    }

    @Test func onlyWhatWasGivenIsSpentAndOnlyInItsTime() {
        var credits = TicketCredits()
        #expect(credits.spend(for: jobs(1), of: service, at: start) == nil)
        credits.note([credit(3, workers: 2)], at: start)
        #expect(credits.spend(for: jobs(2), of: service, at: start)?.map(\.ticket.count) == [1, 1])
        #expect(credits.spend(for: jobs(2), of: service, at: start) == nil)
        #expect(credits.spend(for: jobs(1), of: service, at: start)?.count == 1)
        #expect(credits.spend(for: jobs(1), of: service, at: start) == nil)
        credits.note([credit(3, for: .milliseconds(500))], at: start)
        #expect(credits.spend(for: jobs(1), of: service, at: start + .milliseconds(499))?.count == 1)
        #expect(credits.spend(for: jobs(1), of: service, at: start + .milliseconds(500)) == nil)
    }

    @Test func aLargeGroupIsHandedOverAndCostsNoCredit() {
        var credits = TicketCredits()
        credits.note([credit(100)], at: start)
        #expect(credits.spend(for: jobs(TicketCredit.group + 1), of: service, at: start) == nil)
        #expect(credits.left(of: "alpha", at: start) == 100)
        #expect(credits.spend(for: jobs(TicketCredit.group), of: service, at: start)?.map(\.ticket.count) == [4])
    }

    @Test func itIsAskedForWhereItIsMissingAndToldWhatWasMade() {
        var credits = TicketCredits()
        let both = entries(1) + entries(2, of: "beta")
        #expect(credits.asks(with: both, at: start).map(\.service) == ["alpha", "beta"])
        #expect(credits.asks(with: entries(TicketCredit.group + 1), at: start).isEmpty, "many are no reason")
        credits.note([credit(10)], at: start)
        #expect(credits.asks(with: both, at: start).map(\.service) == ["beta"])
        for count in [4, 3] {
            #expect(credits.spend(for: jobs(count), of: service, at: start)?.count == 1)
            credits.made(1, for: count, of: "alpha")
        }
        #expect(credits.asks(with: entries(3), at: start).isEmpty, "enough is left")
        let told = CreditAsk(service: "alpha", jobs: 7, tickets: 2)
        #expect(credits.asks(with: entries(4), at: start) == [told], "three are left")
        #expect(credits.asks(with: entries(4), at: start) == [CreditAsk(service: "alpha")], "it was told already")
        credits.made(told.tickets, for: told.jobs, of: "alpha")
        #expect(credits.asks(with: entries(4), at: start) == [told], "the call failed")
        credits.note([credit(10)], at: start)
        #expect(credits.asks(with: entries(1), at: start + .seconds(1)) == [CreditAsk(service: "alpha")], "it is over")
    }

    @Test(arguments: 0..<20) func neverMoreIsSpentThanTheLastCreditHeld(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var credits = TicketCredits()
        var now = start
        var (left, end) = (0, start)
        for _ in 0..<2000 {
            now += .milliseconds(Int.random(in: 0..<40, using: &random))
            if Int.random(in: 0..<10, using: &random) == 0 {
                let given = credit(Int.random(in: 0..<300, using: &random), for: .milliseconds(200))
                credits.note([given], at: now)
                (left, end) = (given.jobs, now + given.duration)
            }
            let count = Int.random(in: 1..<12, using: &random)
            let tickets = credits.spend(for: jobs(count), of: service, at: now)
            #expect((tickets != nil) == (count <= left && now < end && count <= TicketCredit.group))
            guard let tickets else { continue }
            #expect(tickets.reduce(0) { $0 + $1.ticket.count } == count)
            left -= count
        }
    }
}
