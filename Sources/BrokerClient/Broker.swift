// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The port to the message broker: durable queues of persistent messages with confirms and manual acknowledgements.
///
/// Delivery is at least once. A connection that breaks is made again with back-off: queues are declared and
/// consumers resume by themselves, and unconfirmed publishes are sent again until their deadline.
public protocol Broker: Sendable {
    /// Declares a durable queue; declaring one that exists is harmless.
    func declare(_ queue: String) async throws(BrokerError)

    /// Declares a queue that goes with its consumers; declaring one that exists is harmless.
    ///
    /// A server drops a message that waits in it for some seconds, and the queue a minute after nobody consumes it; in
    /// process the queue goes at once with its last consumer, and its messages with it.
    func declareTransient(_ queue: String) async throws(BrokerError)

    /// Publishes persistent messages and returns once all of them are confirmed.
    ///
    /// - Throws: ``BrokerError``: `unroutable` when a queue does not exist, `timeout` when the deadline (default of the
    ///   adapter: 10 s) passed, `overflow` when too much waits already, `unavailable` once closed.
    func publish(_ messages: [Message]) async throws(BrokerError)

    /// Publishes persistent messages without waiting for confirms; what can't be sent is dropped and counted.
    ///
    /// For what another rule replaces when it is lost, as tickets are.
    ///
    /// - Returns: whether they were taken; false while the broker is away, while too much waits, and once closed.
    @discardableResult
    func post(_ messages: [Message]) -> Bool

    /// Consumes a queue until the subscription is cancelled; `handler` gets deliveries in batches and must not block.
    ///
    /// At most `prefetch` deliveries are unsettled at a time. The handler runs on the connection's thread.
    func consume(
        _ queue: String,
        prefetch: Int,
        _ handler: @escaping @Sendable ([Delivery]) -> Void
    ) async throws(BrokerError) -> any Subscription

    /// How many messages of a queue wait to be delivered; nil when there is no such queue.
    func depth(of queue: String) async throws(BrokerError) -> Int?

    /// Answers when the broker does, within a few seconds.
    func ping() async throws(BrokerError)

    /// Flushes what waits (for at most a few seconds) and ends the connections.
    func close() async
}

/// A consumer of one queue.
public protocol Subscription: Sendable {
    /// Settles deliveries; a tag of an earlier connection is passed over, the broker delivers its message again.
    ///
    /// It returns at once; settlements go out in batches.
    func settle(_ tags: [DeliveryTag], _ settlement: DeliverySettlement)

    /// Stops the delivery of further messages; unsettled ones may still be settled.
    func pause() async throws(BrokerError)

    /// Starts the delivery again after a pause.
    func resume() async throws(BrokerError)

    /// Ends it; unsettled deliveries go back to the queue.
    func cancel() async
}
