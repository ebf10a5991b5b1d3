// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import Logging
internal import Plumbing

/// The consumers' channels: opening them, and again after whatever ended them.
extension RabbitConsumer {
    func setUpConsumers() throws(AMQPFailure) {
        guard let link else { return }
        for (channel, consumer) in consumers where !consumer.isOpen || (!consumer.isPaused && !consumer.isConsuming) {
            if let next = consumer.nextTry, next > .now { continue }
            do throws(AMQPFailure) {
                try open(channel, on: link)
                if !consumer.isPaused { try begin(channel, on: link) }
                consumers[channel]?.failures = 0
                consumers[channel]?.nextTry = nil
            } catch {
                if error.isFatal { throw error }
                postpone(channel, error)
            }
        }
    }

    func postpone(_ channel: UInt16, _ failure: AMQPFailure) {
        guard var consumer = consumers[channel] else { return }
        consumer.channelGone()
        consumer.failures += 1
        consumer.nextTry = .now + backoff.delay(afterFailures: consumer.failures)
        consumers[channel] = consumer
        dialler.logger.warning(
            "a queue can't be consumed, trying again",
            metadata: [LogKey.queue: "\(consumer.queue)", LogKey.error: "\(failure.reason)"]
        )
    }

    /// Opens a consumer's channel when it is closed.
    func open(_ channel: UInt16, on link: AMQPLink) throws(AMQPFailure) {
        guard consumers[channel]?.isOpen == false, let prefetch = consumers[channel]?.prefetch else { return }
        try link.openChannel(channel)
        try link.setPrefetch(prefetch, on: channel)
        lastGeneration += 1
        consumers[channel]?.channelGone()
        consumers[channel]?.generation = lastGeneration
        consumers[channel]?.isOpen = true
    }

    /// Takes a channel's number for a new consumer; nil when none is free.
    ///
    /// Numbers go round, so that nothing that was on its way to an earlier consumer reaches the next one.
    func freeChannel() -> UInt16? {
        for _ in 0..<Self.maxChannels {
            lastChannel = lastChannel >= Self.maxChannels ? Self.control + 1 : lastChannel + 1
            if consumers[lastChannel] == nil { return lastChannel }
        }
        return nil
    }

    /// Forgets a consumer when there is no connection; tells whether that was so.
    func forgetWhileAway(_ channel: UInt16) -> Bool {
        guard link == nil else { return false }
        consumers[channel] = nil
        return true
    }

    /// Forgets a consumer whose channel could not be closed; a channel that is open ends with its connection.
    func abandon(_ channel: UInt16) {
        if consumers.removeValue(forKey: channel)?.isOpen == true {
            disconnect(AMQPFailure(kind: .broken, reason: "a channel could not be closed"))
        }
    }

    func begin(_ channel: UInt16, on link: AMQPLink) throws(AMQPFailure) {
        guard let consumer = consumers[channel], !consumer.isConsuming else { return }
        // The queue may have gone with the broker's data, or been deleted under its consumer.
        if consumer.generation > 0 { try topology.declare(consumer.queue, on: link, channel: channel) }
        try link.consume(consumer.queue, on: channel)
        consumers[channel]?.isConsuming = true
    }
}
