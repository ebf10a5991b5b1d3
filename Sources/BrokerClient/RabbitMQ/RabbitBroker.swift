// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient
public import Logging

/// The broker port on RabbitMQ.
///
/// Two connections, one that publishes and one that consumes, each an actor on a thread of its own. They are made when
/// something first needs them, and made again with back-off when they break: queues are declared again, consumers go
/// on, unconfirmed publishes are sent again until their deadline. ``close()`` must be called in the end.
public final class RabbitBroker: Broker {
    private let publisher: RabbitPublisher
    private let consumer: RabbitConsumer

    /// Makes a broker client; it connects with the first call.
    public init(settings: RabbitSettings, logger: Logger) {
        let topology = RabbitTopology()
        publisher = RabbitPublisher(settings: settings, topology: topology, logger: logger)
        consumer = RabbitConsumer(settings: settings, topology: topology, logger: logger)
    }

    /// Declares a durable queue of the settings' type.
    ///
    /// - Throws: `refused` when it exists with other properties, `unavailable` when the broker was away for as long as
    ///   a publish may take.
    public func declare(_ queue: String) async throws(BrokerError) {
        try Self.check(queue)
        try await consumer.declare(queue)
    }

    /// Declares a classic queue that RabbitMQ deletes a minute after its last consumer (`x-expires`), and whose messages
    /// it drops after 5 s (`x-message-ttl`).
    ///
    /// - Throws: as ``declare(_:)``.
    public func declareTransient(_ queue: String) async throws(BrokerError) {
        try Self.check(queue)
        try await consumer.declare(queue, isTransient: true)
    }

    /// Publishes persistent messages and returns once all of them are confirmed.
    ///
    /// - Throws: what the port says; with an error, some of the messages may be there.
    public func publish(_ messages: [Message]) async throws(BrokerError) {
        for message in messages { try Self.check(message.queue) }
        try await publisher.publish(messages)
    }

    /// Publishes without waiting; what can't be sent now is dropped and counted.
    @discardableResult
    public func post(_ messages: [Message]) -> Bool {
        publisher.post(messages)
    }

    /// Consumes a queue on a channel of its own, until it is cancelled.
    ///
    /// - Throws: `unroutable` when there is no such queue.
    public func consume(
        _ queue: String,
        prefetch: Int,
        _ handler: @escaping @Sendable ([Delivery]) -> Void
    ) async throws(BrokerError) -> any Subscription {
        try Self.check(queue)
        guard (1...65535).contains(prefetch) else { throw BrokerError(.misuse, "a prefetch is 1 to 65535") }
        return try await consumer.consume(queue, prefetch: prefetch, handler)
    }

    /// How many messages wait; nil when there is no such queue.
    public func depth(of queue: String) async throws(BrokerError) -> Int? {
        try Self.check(queue)
        return try await consumer.depth(of: queue)
    }

    /// Asks the broker for an answer, for at most 3 s.
    public func ping() async throws(BrokerError) {
        try await consumer.ping()
    }

    /// Waits up to 3 s for the confirms of what was published, sends the settlements, and ends both connections.
    public func close() async {
        await publisher.close(patience: .seconds(3))
        await consumer.close()
    }

    private static func check(_ queue: String) throws(BrokerError) {
        guard (1...255).contains(queue.utf8.count), !queue.utf8.contains(0) else {
            throw BrokerError(.misuse, "a queue's name has 1 to 255 bytes")
        }
    }
}
