// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient

/// A consumer as its user holds it.
struct InProcessSubscription: Subscription {
    let broker: InProcessBroker
    let id: UInt64

    func settle(_ tags: [DeliveryTag], _ settlement: DeliverySettlement) {
        broker.settle(id, tags, settlement)
    }

    func pause() async throws(BrokerError) {
        try broker.setPaused(id, true)
    }

    func resume() async throws(BrokerError) {
        try broker.setPaused(id, false)
    }

    func cancel() async {
        broker.cancel(id)
    }
}
