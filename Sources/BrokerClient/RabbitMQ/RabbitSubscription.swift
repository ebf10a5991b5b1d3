// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient

/// A consumer as its user holds it.
struct RabbitSubscription: Subscription {
    let consumer: RabbitConsumer
    let channel: UInt16

    func settle(_ tags: [DeliveryTag], _ settlement: DeliverySettlement) {
        consumer.settle(channel, tags, settlement)
    }

    func pause() async throws(BrokerError) {
        try await consumer.setPaused(channel, true)
    }

    func resume() async throws(BrokerError) {
        try await consumer.setPaused(channel, false)
    }

    func cancel() async {
        await consumer.cancel(channel)
    }
}
