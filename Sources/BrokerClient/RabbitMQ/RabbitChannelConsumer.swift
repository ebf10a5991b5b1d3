// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient

/// One consumer, with a channel of its own: what it wants, and how far that is.
struct RabbitChannelConsumer {
    let queue: String
    let prefetch: Int
    let handler: @Sendable ([Delivery]) -> Void
    /// Its channel, which keeps its number over connections.
    let channel: UInt16
    /// Which opening of the channel this is; tags of an earlier one are passed over.
    var generation: UInt64 = 0
    var isPaused = false
    /// Whether the channel is open.
    var isOpen = false
    /// Whether the broker delivers.
    var isConsuming = false
    /// When to try again after the broker refused to let it consume.
    var nextTry: ContinuousClock.Instant?
    var failures = 0
    var window = SettlementWindow()
    /// What was read in this turn, to be handed over at its end.
    var batch: [Delivery] = []

    /// Forgets what a channel that is gone knew.
    mutating func channelGone() {
        isOpen = false
        isConsuming = false
        window = SettlementWindow()
    }
}
