// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Plumbing

/// A broker that delivers, but never answers a consumer that wants to pause: as when its connection is half open.
final class StuckBroker: Broker {
    private struct StuckSubscription: Subscription {
        let inner: any Subscription

        func settle(_ tags: [DeliveryTag], _ settlement: DeliverySettlement) { inner.settle(tags, settlement) }

        func pause() async throws(BrokerError) {
            let never = OneShot<Void>()
            do { try await never.value() } catch { throw BrokerError(.unavailable, "cancelled") }
        }

        func resume() async throws(BrokerError) { try await inner.resume() }

        func cancel() async { await inner.cancel() }
    }

    private let inner: any Broker

    init(_ inner: any Broker) { self.inner = inner }

    func declare(_ queue: String) async throws(BrokerError) { try await inner.declare(queue) }

    func declareTransient(_ queue: String) async throws(BrokerError) { try await inner.declareTransient(queue) }

    func publish(_ messages: [Message]) async throws(BrokerError) { try await inner.publish(messages) }

    func post(_ messages: [Message]) -> Bool { inner.post(messages) }

    func consume(
        _ queue: String,
        prefetch: Int,
        _ handler: @escaping @Sendable ([Delivery]) -> Void
    ) async throws(BrokerError) -> any Subscription {
        StuckSubscription(inner: try await inner.consume(queue, prefetch: prefetch, handler))
    }

    func depth(of queue: String) async throws(BrokerError) -> Int? { try await inner.depth(of: queue) }

    func ping() async throws(BrokerError) { try await inner.ping() }

    func close() async { await inner.close() }
}
