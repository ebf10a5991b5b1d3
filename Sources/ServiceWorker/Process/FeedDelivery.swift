// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
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

    /// Whether the handlers of all may still begin: the process may have been frozen since they were given.
    var isFresh: Bool { gifts.allSatisfy { $0.permit.isFresh() } }

    /// The last moment at which all of their handlers may begin, as `CLOCK_BOOTTIME` in milliseconds; nil when there
    /// is none.
    static func beginBy(_ gifts: [FeedGift]) -> Int64? {
        guard let until = gifts.compactMap(\.permit.until).min() else { return nil }
        return MachineTime.milliseconds.map { $0 + (until - .now).wholeMilliseconds }
    }

    /// The answer has been sent.
    func succeed() {
        isDone.store(true, ordering: .releasing)
        feed.delivered(gifts)
    }
}
