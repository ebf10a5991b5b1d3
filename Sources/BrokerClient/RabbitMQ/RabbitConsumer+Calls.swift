// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import Plumbing
internal import Synchronization

extension RabbitConsumer {
    nonisolated func declare(_ queue: String, isTransient: Bool = false) async throws(BrokerError) {
        try await ask { actor, link throws(AMQPFailure) in
            do throws(AMQPFailure) {
                try link.declare(queue, isTransient: isTransient, on: Self.control)
            } catch {
                if !error.isFatal { try link.openChannel(Self.control) }
                throw error
            }
            actor.topology.add(queue, isTransient: isTransient)
        }
    }

    /// Counts what waits; nil when there is no such queue.
    nonisolated func depth(of queue: String) async throws(BrokerError) -> Int? {
        try await ask { _, link throws(AMQPFailure) in
            do throws(AMQPFailure) {
                return try link.depth(of: queue, on: Self.control)
            } catch {
                if !error.isFatal { try link.openChannel(Self.control) }
                guard error.isMissing else { throw error }
                return nil
            }
        }
    }

    nonisolated func ping() async throws(BrokerError) {
        try await ask(within: .seconds(2)) { _, link throws(AMQPFailure) in
            try link.setPrefetch(0, on: Self.control)
        }
    }

    nonisolated func consume(
        _ queue: String,
        prefetch: Int,
        _ handler: @escaping @Sendable ([Delivery]) -> Void
    ) async throws(BrokerError) -> RabbitSubscription {
        let channel: UInt16? = try await ask { actor, link throws(AMQPFailure) in
            guard let channel = actor.freeChannel() else { return nil }
            actor.consumers[channel] = RabbitChannelConsumer(
                queue: queue,
                prefetch: prefetch,
                handler: handler,
                channel: channel
            )
            do throws(AMQPFailure) {
                try actor.open(channel, on: link)
                try link.consume(queue, on: channel)
                actor.consumers[channel]?.isConsuming = true
            } catch {
                actor.consumers[channel] = nil
                throw error
            }
            return channel
        }
        guard let channel else { throw BrokerError(.refused, "the connection has no channel left for a consumer") }
        return RabbitSubscription(consumer: self, channel: channel)
    }

    nonisolated func setPaused(_ channel: UInt16, _ isPaused: Bool) async throws(BrokerError) {
        let isKnown: Bool = try await ask { actor, link throws(AMQPFailure) in
            guard let consumer = actor.consumers[channel] else { return false }
            actor.consumers[channel]?.isPaused = isPaused
            guard consumer.isOpen, consumer.isConsuming == isPaused else { return true }
            do throws(AMQPFailure) {
                if isPaused {
                    try link.stopConsuming(on: channel)
                } else {
                    try link.consume(consumer.queue, on: channel)
                }
                actor.consumers[channel]?.isConsuming = !isPaused
            } catch {
                // The turn opens the channel again, with the new state.
                if error.isFatal { throw error }
                actor.consumers[channel]?.channelGone()
            }
            return true
        }
        if !isKnown { throw BrokerError(.misuse, "the subscription has been cancelled") }
    }

    nonisolated func cancel(_ channel: UInt16) async {
        // Without a connection the broker has taken everything back already.
        if await forgetWhileAway(channel) { return }
        do throws(BrokerError) {
            // Not for long: when the broker is stuck, the connection ends and takes the consumer with it.
            try await ask(within: .seconds(2)) { actor, link throws(AMQPFailure) in
                guard let consumer = actor.consumers[channel] else { return }
                if consumer.isOpen { try link.closeChannel(channel) }
                actor.consumers[channel] = nil
            }
        } catch {
            await abandon(channel)
        }
    }

    private nonisolated func ask<Value: Sendable>(
        within limit: Duration? = nil,
        _ question: @escaping @Sendable (isolated RabbitConsumer, AMQPLink) throws(AMQPFailure) -> Value
    ) async throws(BrokerError) -> Value {
        let answer = OneShot<Value>()
        let box = AnswerBox<Value>()
        submit(
            Request(
                deadline: .now + (limit ?? settings.publishDeadline),
                perform: { actor, link throws(AMQPFailure) in box.put(try question(actor, link)) },
                succeed: { if let value = box.take() { answer.finish(.success(value)) } },
                fail: { answer.finish(.failure($0)) }
            )
        )
        do {
            return try await answer.value()
        } catch let error as BrokerError {
            throw error
        } catch {
            throw BrokerError(.unavailable, "the call was cancelled while it waited for the broker")
        }
    }
}

/// Keeps an answer from the moment it came until the turn's deliveries have been handed over.
private final class AnswerBox<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)

    func put(_ new: Value) {
        value.withLock { $0 = new }
    }

    func take() -> Value? {
        value.withLock { $0 }
    }
}
