// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Testing
import Workflow

@testable import AppAPI

/// What an App API may spend of the credits it was given.
@Suite struct TicketCreditsTests {
    private let start = ContinuousClock.now

    private func credit(_ jobs: Int, workers: Int = 1, for duration: Duration = .seconds(1)) -> TicketCredit {
        TicketCredit(service: "alpha", jobs: jobs, workers: workers, duration: duration)
    }

    @Test func onlyWhatWasGivenIsSpentAndOnlyInItsTime() {
        var credits = TicketCredits()
        #expect(credits.spend(1, of: "alpha", at: start) == nil)
        credits.note([credit(3, workers: 5)], at: start)
        #expect(credits.spend(1, of: "beta", at: start) == nil)
        #expect(credits.spend(2, of: "alpha", at: start) == 5)
        #expect(credits.spend(2, of: "alpha", at: start) == nil)
        // What is left lapses with it: the hand-over that follows brings more.
        #expect(credits.spend(1, of: "alpha", at: start) == nil)
        credits.note([credit(3, for: .milliseconds(500))], at: start)
        #expect(credits.spend(1, of: "alpha", at: start + .milliseconds(499)) == 1)
        #expect(credits.spend(1, of: "alpha", at: start + .milliseconds(500)) == nil)
    }

    @Test func aLargeGroupIsHandedOverAndCostsNoCredit() {
        var credits = TicketCredits()
        credits.note([credit(100)], at: start)
        #expect(credits.spend(TicketCredit.group + 1, of: "alpha", at: start) == nil)
        #expect(credits.spend(TicketCredit.group, of: "alpha", at: start) == 1)
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
            guard credits.spend(count, of: "alpha", at: now) != nil else {
                if count <= TicketCredit.group { left = 0 }
                continue
            }
            #expect(count <= left && now < end && count <= TicketCredit.group)
            left -= count
        }
    }
}
