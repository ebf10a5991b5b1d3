// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import Synchronization

/// Counts what it is given, and takes no posts while it is away.
final class CountingBroker: Broker {
    struct Counts: Hashable {
        var posted = 0
        var published = 0
    }

    private let inner = InProcessBroker()
    private let state = Mutex((counts: Counts(), isAway: false))

    var counts: Counts { state.withLock { $0.counts } }
    func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

    func declare(_ queue: String) async throws(BrokerError) { try await inner.declare(queue) }

    func declareTransient(_ queue: String) async throws(BrokerError) { try await inner.declareTransient(queue) }

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
