// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

/// Jobs on their way to a process: they go back to the queue unless their answer has been sent.
final class FeedDelivery: Sendable {
    private let feed: JobFeed
    private let gifts: [FeedGift]
    private let isDone = Atomic(false)

    init(_ gifts: [FeedGift], feed: JobFeed) {
        self.gifts = gifts
        self.feed = feed
    }

    deinit {
        if !gifts.isEmpty, !isDone.load(ordering: .acquiring) { feed.giveBack(gifts) }
    }

    /// The answer has been sent.
    func succeed() {
        isDone.store(true, ordering: .releasing)
        feed.delivered(gifts)
    }
}
