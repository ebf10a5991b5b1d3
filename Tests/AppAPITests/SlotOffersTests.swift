// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// Which worker a job is given to, as far as workers have offered slots.
@Suite struct SlotOffersTests {
    private let start = ContinuousClock.now

    private func offer(_ worker: String, _ slots: [String: Int], seen: Int? = nil) -> SlotOffer {
        SlotOffer(worker: worker, slots: slots, seen: seen.map { ["me": $0, "other": 99] } ?? [:], sentAt: .now)
    }

    private func take(_ service: String, _ offers: inout SlotOffers, at time: Duration = .zero) -> String? {
        offers.take(service, lease: LeaseID(), at: start + time)
    }

    @Test func onlyWhatIsOfferedIsTakenAndOnlyInItsTime() {
        var offers = SlotOffers()
        #expect(take("alpha", &offers) == nil)
        offers.note(offer("w", ["alpha": 2]), from: "me", at: start)
        #expect(take("beta", &offers) == nil)
        #expect(take("alpha", &offers, at: .milliseconds(999)) == "w")
        #expect(take("alpha", &offers, at: .milliseconds(1000)) == nil, "it is over")
        offers.note(offer("w", ["alpha": 3]), from: "me", at: start + .seconds(2))
        for _ in 0..<3 { #expect(take("alpha", &offers, at: .seconds(2)) == "w") }
        #expect(take("alpha", &offers, at: .seconds(2)) == nil, "they are taken")
    }

    @Test func whatIsOnItsWayTakesASlotUntilTheWorkerHasSeenIt() {
        var offers = SlotOffers()
        offers.note(offer("w", ["alpha": 2, "beta": 1]), from: "me", at: start)
        let lease = LeaseID()
        #expect(offers.take("alpha", lease: lease, at: start) == "w")
        #expect(take("beta", &offers) == nil, "the worker's numbers don't know of the first")
        #expect(offers.send([lease], to: "w", at: start) == 1)
        offers.note(offer("w", ["alpha": 2, "beta": 1], seen: 0), from: "me", at: start)
        #expect(take("beta", &offers) == nil)
        offers.note(offer("w", ["alpha": 2, "beta": 1], seen: 1), from: "me", at: start)
        #expect(take("beta", &offers) == "w")
    }

    /// Two transactions: what one has chosen and not committed is not taken for seen when the other's jobs are.
    @Test func whatIsBeingCommittedTakesASlotAlthoughLaterJobsWereSeen() {
        var offers = SlotOffers()
        offers.note(offer("w", ["alpha": 3]), from: "me", at: start)
        for _ in 0..<2 { #expect(take("alpha", &offers) == "w") }
        let later = LeaseID()
        #expect(offers.take("alpha", lease: later, at: start) == "w")
        #expect(offers.send([later], to: "w", at: start) == 1)
        offers.note(offer("w", ["alpha": 3], seen: 1), from: "me", at: start)
        #expect(take("alpha", &offers) == "w")
        #expect(take("alpha", &offers) == nil)
    }

    @Test func whatWasLostOrNeverCommittedTakesNoSlotForEver() {
        for isSent in [true, false] {
            var offers = SlotOffers()
            offers.note(offer("w", ["alpha": 1]), from: "me", at: start)
            let lease = LeaseID()
            #expect(offers.take("alpha", lease: lease, at: start) == "w")
            if isSent { _ = offers.send([lease], to: "w", at: start) }
            offers.note(offer("w", ["alpha": 1], seen: 0), from: "me", at: start + .milliseconds(900))
            #expect(take("alpha", &offers, at: .milliseconds(900)) == nil)
            offers.note(offer("w", ["alpha": 1], seen: 0), from: "me", at: start + .milliseconds(1000))
            #expect(take("alpha", &offers, at: .milliseconds(1000)) == "w")
        }
    }

    @Test func theWorkerWithTheMostFreeSlotsIsChosen() {
        var offers = SlotOffers()
        offers.note(offer("one", ["alpha": 2]), from: "me", at: start)
        offers.note(offer("two", ["alpha": 4]), from: "me", at: start)
        let taken = (0..<6).compactMap { _ in take("alpha", &offers) }
        #expect(taken.filter { $0 == "one" }.count == 2)
        #expect(taken.filter { $0 == "two" }.count == 4)
        #expect(taken.prefix(2) == ["two", "two"])
        #expect(take("alpha", &offers) == nil)
    }

    @Test func aWorkerThatCantBeReachedIsLeftOutUntilItOffersAgain() {
        var offers = SlotOffers()
        offers.note(offer("w", ["alpha": 2]), from: "me", at: start)
        offers.withdraw("w")
        #expect(take("alpha", &offers) == nil)
        offers.note(offer("w", ["alpha": 2]), from: "me", at: start)
        #expect(take("alpha", &offers) == "w")
    }
}
