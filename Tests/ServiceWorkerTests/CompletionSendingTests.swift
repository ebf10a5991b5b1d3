// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import Plumbing
import Synchronization
import Testing

@testable import ServiceWorker

/// Which completions wait for the broker's confirm.
struct CompletionSendingTests {
    /// Counts what it is given, and takes no posts while it is away.
    private final class CountingBroker: Broker {
        struct Counts: Hashable {
            var posted = 0
            var published = 0
        }

        private let inner = InProcessBroker()
        private let state = Mutex((counts: Counts(), isAway: false))

        var counts: Counts { state.withLock { $0.counts } }
        func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

        func declare(_ queue: String) async throws(BrokerError) { try await inner.declare(queue) }

        func publish(_ messages: [Message]) async throws(BrokerError) {
            try await inner.publish(messages)
            state.withLock { $0.counts.published += messages.count }
        }

        func post(_ messages: [Message]) -> Bool {
            guard !state.withLock(\.isAway) else { return false }
            state.withLock { $0.counts.posted += messages.count }
            return inner.post(messages)
        }

        func consume(
            _ queue: String,
            prefetch: Int,
            _ handler: @escaping @Sendable ([Delivery]) -> Void
        ) async throws(BrokerError) -> any Subscription {
            try await inner.consume(queue, prefetch: prefetch, handler)
        }

        func depth(of queue: String) async throws(BrokerError) -> Int? { try await inner.depth(of: queue) }
        func ping() async throws(BrokerError) { try await inner.ping() }
        func close() async { await inner.close() }
    }

    private static let message = Message(queue: "malla.completions.app.shop", body: [1])

    @Test func whatAQueueTakesForTheFirstTimeIsConfirmedAndTheNextIsNot() async throws {
        let broker = CountingBroker()
        let sending = CompletionSending(broker: broker)
        try await sending.send([Self.message], count: 1, isFirst: true)
        #expect(broker.counts == .init(posted: 0, published: 1), "the queue was made for it")
        try await sending.send([Self.message], count: 2, isFirst: true)
        #expect(broker.counts == .init(posted: 1, published: 1))
        let other = Message(queue: "malla.completions.app.other", body: [1])
        try await sending.send([Self.message, other], count: 2, isFirst: true)
        #expect(broker.counts == .init(posted: 1, published: 3), "one of the queues is new")
        #expect(try await broker.depth(of: other.queue) == 1)
    }

    @Test func whatIsSentAgainOrWithManyIsConfirmed() async throws {
        let broker = CountingBroker()
        let sending = CompletionSending(broker: broker)
        try await sending.send([Self.message], count: 1, isFirst: true)
        try await sending.send([Self.message], count: 1, isFirst: false)
        try await sending.send([Self.message], count: 3, isFirst: true)
        #expect(broker.counts == .init(posted: 0, published: 3))
    }

    @Test func whileTheBrokerIsAwayItIsWaitedFor() async throws {
        let broker = CountingBroker()
        let sending = CompletionSending(broker: broker)
        try await sending.send([Self.message], count: 1, isFirst: true)
        broker.setAway(true)
        try await sending.send([Self.message], count: 1, isFirst: true)
        #expect(broker.counts == .init(posted: 0, published: 2))
    }

    @Test func aFewMayGoAtOnceAndAsManyASecondAsABrokerHardlyNotices() {
        var allowance = PostAllowance()
        let start = ContinuousClock.now
        func taken(_ tries: Int, at now: ContinuousClock.Instant) -> Int {
            (0..<tries).count { _ in allowance.take(at: now) }
        }
        #expect(taken(20, at: start) == 8)
        #expect(taken(20, at: start + .milliseconds(5)) == 2, "2.5 in 5 ms")
        #expect(taken(20, at: start + .milliseconds(6)) == 1, "the half that was left, and another")
        #expect(taken(20, at: start + .seconds(3600)) == 8)
        #expect((1...1000).count { allowance.take(at: start + .seconds(4000) + .milliseconds($0)) } <= 508)
    }
}
