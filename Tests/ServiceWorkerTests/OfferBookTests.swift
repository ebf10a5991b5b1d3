// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import ServiceWorker

/// What a worker offers to whom, and when.
@Suite struct OfferBookTests {
    private let start = ContinuousClock.now

    private func book(_ free: [String: Int]) -> OfferBook {
        var book = OfferBook()
        book.open()
        for (service, count) in free { book.note(free: count, of: service) }
        return book
    }

    @Test func anAppIsToldAtOnceAndThenNowAndThen() {
        var book = book(["alpha": 4])
        #expect(book.offer(to: "q", at: start)?.slots == ["alpha": 4])
        book.note(free: 3, of: "alpha")
        #expect(book.offer(to: "q", at: start + .milliseconds(199)) == nil)
        #expect(book.offer(to: "q", at: start + .milliseconds(200))?.slots == ["alpha": 3])
    }

    @Test func aServiceThatIsLostOrGainedIsToldAtOnce() {
        var book = book(["alpha": 4, "beta": 1])
        #expect(book.offer(to: "q", at: start)?.slots == ["alpha": 4, "beta": 1])
        book.note(free: 0, of: "beta")
        #expect(book.offer(to: "q", at: start)?.slots == ["alpha": 4])
        book.note(free: -1, of: "alpha")
        #expect(book.offer(to: "q", at: start)?.slots == [:])
        #expect(book.offer(to: "q", at: start + .seconds(1)) == nil, "that there is nothing is told once")
        book.note(free: 1, of: "beta")
        #expect(book.offer(to: "q", at: start + .seconds(1))?.slots == ["beta": 1])
    }

    @Test func appsShareTheSlots() {
        var book = book(["alpha": 5, "beta": 1])
        #expect(book.offer(to: "one", at: start)?.slots == ["alpha": 5, "beta": 1])
        #expect(book.offer(to: "two", at: start)?.slots == ["alpha": 2])
        // The first has gone.
        #expect(book.offer(to: "two", at: start + .milliseconds(5001))?.slots == ["alpha": 5, "beta": 1])
    }

    @Test func theirAPIsShareTheSlotsAndAreToldWhatCame() {
        var book = book(["alpha": 6])
        book.heard(from: "a", total: 3, at: start)
        book.heard(from: "b", total: 1, at: start)
        book.heard(from: "a", total: 2, at: start)
        let told = book.offer(to: "q", at: start)
        #expect(told?.slots == ["alpha": 3])
        #expect(told?.seen == ["a": 3, "b": 1], "a message that was overtaken takes nothing back")
        book.heard(from: "b", total: 2, at: start + .seconds(4))
        #expect(book.offer(to: "q", at: start + .milliseconds(5001))?.seen == ["b": 2])
    }

    @Test func nothingIsOfferedBeforeItsQueueIsReadAndAfterALoss() {
        var book = OfferBook()
        book.note(free: 4, of: "alpha")
        #expect(book.offer(to: "q", at: start) == nil)
        #expect(!book.mayBeOwed)
        book.open()
        #expect(book.offer(to: "q", at: start)?.slots == ["alpha": 4])
        #expect(book.end == start + .milliseconds(1200))
        #expect(book.offer(to: "q", isTaking: false, at: start)?.slots == [:])
        book.checked(at: start + .seconds(59))
        #expect(book.mayBeOwed, "something may come of the offer before")
        book.checked(at: start + .seconds(60))
        #expect(!book.mayBeOwed)
        #expect(book.offer(to: "q", at: start + .milliseconds(200))?.slots == ["alpha": 4])
        book.lost(at: start)
        #expect(book.offer(to: "q", at: start + .milliseconds(200))?.slots == [:])
        #expect(book.offer(to: "q", at: start + .milliseconds(29_999)) == nil)
        #expect(book.offer(to: "q", at: start + .seconds(30))?.slots == ["alpha": 4])
        book.close()
        #expect(book.offer(to: "q", at: start + .seconds(30))?.slots == [:])
        // Its queue is read only now.
        book.open()
        #expect(book.offer(to: "q", at: start + .seconds(31)) == nil)
    }
}
