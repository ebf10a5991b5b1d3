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

    @Test func onlyWhatIsOfferedIsTakenAndOnlyInItsTime() {
        var offers = SlotOffers()
        #expect(offers.take("alpha", at: start) == nil)
        offers.note(offer("w", ["alpha": 2]), to: "me", at: start)
        #expect(offers.take("beta", at: start) == nil)
        #expect(offers.take("alpha", at: start + .milliseconds(999)) == "w")
        #expect(offers.take("alpha", at: start + .milliseconds(1000)) == nil, "it is over")
        offers.note(offer("w", ["alpha": 3], seen: 1), to: "me", at: start + .seconds(1))
        for _ in 0..<3 { #expect(offers.take("alpha", at: start + .seconds(1)) == "w") }
        #expect(offers.take("alpha", at: start + .seconds(1)) == nil, "they are taken")
    }

    @Test func whatIsOnItsWayTakesASlotUntilTheWorkerHasSeenIt() {
        var offers = SlotOffers()
        offers.note(offer("w", ["alpha": 2, "beta": 1]), to: "me", at: start)
        #expect(offers.take("alpha", at: start) == "w")
        #expect(offers.meant(for: "w") == 1)
        #expect(offers.take("beta", at: start) == nil, "the worker's numbers don't know of the first")
        offers.note(offer("w", ["alpha": 2, "beta": 1], seen: 0), to: "me", at: start)
        #expect(offers.take("beta", at: start) == nil)
        offers.note(offer("w", ["alpha": 2, "beta": 1], seen: 1), to: "me", at: start)
        #expect(offers.take("beta", at: start) == "w")
    }

    @Test func whatWasLostTakesNoSlotForEver() {
        var offers = SlotOffers()
        offers.note(offer("w", ["alpha": 1]), to: "me", at: start)
        #expect(offers.take("alpha", at: start) == "w")
        offers.note(offer("w", ["alpha": 1], seen: 0), to: "me", at: start + .milliseconds(900))
        #expect(offers.take("alpha", at: start + .milliseconds(900)) == nil)
        #expect(offers.take("alpha", at: start + .milliseconds(1000)) == "w")
    }

    @Test func theWorkerWithTheMostFreeSlotsIsChosen() {
        var offers = SlotOffers()
        offers.note(offer("one", ["alpha": 2]), to: "me", at: start)
        offers.note(offer("two", ["alpha": 4]), to: "me", at: start)
        let taken = (0..<6).compactMap { _ in offers.take("alpha", at: start) }
        #expect(taken.filter { $0 == "one" }.count == 2)
        #expect(taken.filter { $0 == "two" }.count == 4)
        #expect(taken.prefix(2) == ["two", "two"])
        #expect(offers.take("alpha", at: start) == nil)
    }

    @Test func aWorkerThatCantBeReachedIsLeftOutUntilItOffersAgain() {
        var offers = SlotOffers()
        offers.note(offer("w", ["alpha": 2]), to: "me", at: start)
        offers.withdraw("w")
        #expect(offers.take("alpha", at: start) == nil)
        offers.note(offer("w", ["alpha": 2]), to: "me", at: start)
        #expect(offers.take("alpha", at: start) == "w")
    }
}
