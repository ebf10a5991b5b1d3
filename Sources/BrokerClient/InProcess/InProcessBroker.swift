// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient
internal import Synchronization

/// The broker port in this process's memory, with the semantics of RabbitMQ; nothing survives the process.
///
/// Deliveries are shared among a queue's consumers in turns, and handed over in batches by one task per consumer, which
/// runs only while there is something to hand over.
public final class InProcessBroker: Broker {
    private let state = Mutex(InProcessState())

    /// Makes a broker without queues.
    public init() {}

    /// Declares a queue; declaring one that exists is harmless.
    public func declare(_ queue: String) async throws(BrokerError) {
        try declare(queue, isTransient: false)
    }

    /// Declares a queue that goes with its last consumer.
    public func declareTransient(_ queue: String) async throws(BrokerError) {
        try declare(queue, isTransient: true)
    }

    private func declare(_ queue: String, isTransient: Bool) throws(BrokerError) {
        guard !queue.isEmpty else { throw BrokerError(.misuse, "a queue's name has 1 to 255 bytes") }
        try change { state throws(BrokerError) in state.declare(queue, isTransient: isTransient) }
    }

    /// Publishes messages, which are in their queues when it returns.
    ///
    /// - Throws: `unroutable` when a queue does not exist (the other messages are there), `unavailable` once closed.
    public func publish(_ messages: [Message]) async throws(BrokerError) {
        let missing = try change { state throws(BrokerError) in state.append(messages) }
        if let missing { throw BrokerError(.unroutable, "there is no queue '\(missing)'") }
    }

    /// Publishes messages; those for missing queues are dropped.
    @discardableResult
    public func post(_ messages: [Message]) -> Bool {
        do throws(BrokerError) {
            _ = try change { state throws(BrokerError) in state.append(messages) }
            return true
        } catch {
            // Closed: dropped, as the port says.
            return false
        }
    }

    /// Consumes a queue until the subscription is cancelled.
    ///
    /// - Throws: `unroutable` when there is no such queue, `unavailable` once closed.
    public func consume(
        _ queue: String,
        prefetch: Int,
        _ handler: @escaping @Sendable ([Delivery]) -> Void
    ) async throws(BrokerError) -> any Subscription {
        guard prefetch > 0 else { throw BrokerError(.misuse, "a prefetch is 1 to 65535") }
        let id = try change { state throws(BrokerError) in
            try state.addConsumer(of: queue, prefetch: prefetch, handler: handler)
        }
        return InProcessSubscription(broker: self, id: id)
    }

    /// How many messages wait; nil when there is no such queue.
    public func depth(of queue: String) async throws(BrokerError) -> Int? {
        try change { state throws(BrokerError) in state.depth(of: queue) }
    }

    /// Throws `unavailable` once closed.
    public func ping() async throws(BrokerError) {
        try change { _ throws(BrokerError) in }
    }

    /// Ends every consumer; what was unsettled is back in its queue, and every later call fails.
    public func close() async {
        state.withLock { $0.close() }
    }

    func settle(_ id: UInt64, _ tags: [DeliveryTag], _ settlement: DeliverySettlement) {
        // Closed: everything is back in its queue already.
        try? change { state throws(BrokerError) in state.settle(id, tags, settlement) }
    }

    func setPaused(_ id: UInt64, _ isPaused: Bool) throws(BrokerError) {
        try change { state throws(BrokerError) in try state.setPaused(id, isPaused) }
    }

    func cancel(_ id: UInt64) {
        // Closed: it has been cancelled with the others.
        try? change { state throws(BrokerError) in state.cancel(id) }
    }

    /// Changes the state, and starts the hand-over for consumers that got something.
    private func change<Value: Sendable>(
        _ body: (inout InProcessState) throws(BrokerError) -> Value
    ) throws(BrokerError) -> Value {
        let (value, started) = try state.withLock { state throws(BrokerError) -> (Value, [UInt64]) in
            guard !state.isClosed else { throw BrokerError(.unavailable, "the broker is closed") }
            let value = try body(&state)
            return (value, state.dispatch())
        }
        for id in started { Task { self.handOver(id) } }
        return value
    }

    private func handOver(_ id: UInt64) {
        while let (handler, deliveries) = state.withLock({ $0.takeBatch(of: id) }) {
            handler(deliveries)
        }
    }
}
