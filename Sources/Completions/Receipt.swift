// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Synchronization

/// What a completion is settled by: its message's queue and tag there.
struct Receipt: Sendable {
    let queue: CompletionQueue
    let tag: DeliveryTag
    /// Those that came in the same message; nil when it came alone.
    private let message: SharedMessage?

    /// A receipt for each of so many completions that came in one message.
    static func receipts(_ count: Int, queue: CompletionQueue, tag: DeliveryTag) -> [Receipt] {
        let message = count > 1 ? SharedMessage(count: count) : nil
        return (0..<count).map { _ in Receipt(queue: queue, tag: tag, message: message) }
    }

    /// Notes how the completion ended; what is to become of the message, once nothing of it is left.
    fileprivate func settled(_ settlement: DeliverySettlement) -> DeliverySettlement? {
        message.map { $0.settled(settlement) } ?? settlement
    }
}

extension Sequence<Receipt> {
    /// Settles these completions; a message with several is settled with the last of them.
    func settle(_ settlement: DeliverySettlement) {
        for receipts in Dictionary(grouping: self, by: { ObjectIdentifier($0.queue) }).values {
            var tags: [DeliverySettlement: [DeliveryTag]] = [:]
            for receipt in receipts {
                if let outcome = receipt.settled(settlement) { tags[outcome, default: []].append(receipt.tag) }
            }
            for (outcome, tags) in tags { receipts.first?.queue.settle(tags, outcome) }
        }
    }
}

/// A message of several completions that are settled one by one.
private final class SharedMessage: Sendable {
    private let state: Mutex<(left: Int, isRequeued: Bool)>

    init(count: Int) {
        state = Mutex((count, false))
    }

    /// How the message is to be settled, when this was the last of its completions.
    ///
    /// It comes again as a whole when one of them has to: the others are stale then, and harmless.
    func settled(_ settlement: DeliverySettlement) -> DeliverySettlement? {
        state.withLock { state in
            state.left -= 1
            state.isRequeued = state.isRequeued || settlement == .requeued
            guard state.left == 0 else { return nil }
            return state.isRequeued ? .requeued : .acknowledged
        }
    }
}
