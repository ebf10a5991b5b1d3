// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Synchronization

/// One queue of completions as its deliveries see it: they may come before their subscription is known.
final class CompletionQueue: Sendable {
    private enum State {
        /// What was settled meanwhile.
        case subscribing([(tags: [DeliveryTag], settlement: DeliverySettlement)])
        case subscribed(any Subscription)
    }

    private let state = Mutex(State.subscribing([]))
    /// The connection that its last deliveries came through.
    private let generation = Atomic<UInt64>(0)

    /// Whether these are the first deliveries of a connection that is not its first.
    func begins(_ generation: UInt64) -> Bool {
        let last = self.generation.exchange(generation, ordering: .relaxed)
        return last != 0 && last != generation
    }

    /// Takes the subscription whose deliveries these are.
    func attach(_ subscription: any Subscription) {
        let early = state.withLock { state in
            defer { state = .subscribed(subscription) }
            if case .subscribing(let early) = state { return early }
            return []
        }
        for (tags, settlement) in early { subscription.settle(tags, settlement) }
    }

    /// Settles deliveries; it never waits.
    func settle(_ tags: [DeliveryTag], _ settlement: DeliverySettlement) {
        let subscription = state.withLock { state -> (any Subscription)? in
            switch state {
            case .subscribed(let subscription): return subscription
            case .subscribing(let early):
                state = .subscribing(early + [(tags, settlement)])
                return nil
            }
        }
        subscription?.settle(tags, settlement)
    }

    /// Ends the subscription, when there is one; what is unsettled goes back to the queue.
    func cancel() async {
        let subscription = state.withLock { state -> (any Subscription)? in
            if case .subscribed(let subscription) = state { return subscription }
            return nil
        }
        await subscription?.cancel()
    }
}
