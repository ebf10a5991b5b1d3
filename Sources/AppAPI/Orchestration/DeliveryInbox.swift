// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Plumbing
import Synchronization

/// What a subscription has delivered and nobody has taken yet; bounded by the subscription's prefetch.
final class DeliveryInbox: Sendable {
    private struct State {
        var waiting: [Delivery] = []
        var takers: [OneShot<Void>] = []
        var isClosed = false
    }

    private let state = Mutex(State())

    /// Adds deliveries; called on the broker's thread, so it never waits.
    func put(_ deliveries: [Delivery]) {
        let taker = state.withLock { state in
            state.waiting += deliveries
            return state.takers.popLast()
        }
        taker?.finish(.success(()))
    }

    /// Takes all that waits, up to `limit`; waits while there is nothing.
    ///
    /// Nil once closed and empty.
    func take(upTo limit: Int) async -> [Delivery]? {
        while true {
            let turn = OneShot<Void>()
            let (batch, isOver, next) = state.withLock { state -> ([Delivery], Bool, OneShot<Void>?) in
                let batch = Array(state.waiting.prefix(limit))
                state.waiting.removeFirst(batch.count)
                if batch.isEmpty, !state.isClosed { state.takers.append(turn) }
                // What is left is the next lane's.
                let next = state.waiting.isEmpty ? nil : state.takers.popLast()
                return (batch, state.isClosed, next)
            }
            next?.finish(.success(()))
            if !batch.isEmpty { return batch }
            if isOver { return nil }
            do { try await turn.value() } catch { return nil }
        }
    }

    /// Ends the takers once nothing waits.
    func close() {
        let takers = state.withLock { state in
            state.isClosed = true
            defer { state.takers = [] }
            return state.takers
        }
        for taker in takers { taker.finish(.success(())) }
    }
}
