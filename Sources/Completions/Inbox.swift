// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization

/// What has arrived and nobody has taken yet.
final class Inbox<Element: Sendable>: Sendable {
    private struct State {
        var waiting: [Element] = []
        var takers: [OneShot<Void>] = []
        var isClosed = false
    }

    private let limit: Int
    private let state = Mutex(State())

    /// Makes an inbox in which at most `limit` elements wait.
    init(limit: Int = .max) {
        self.limit = limit
    }

    /// Adds elements; may be called on a broker's thread, so it never waits.
    ///
    /// - Returns: those that have no room.
    @discardableResult
    func put(_ elements: [Element]) -> [Element] {
        let (surplus, taker) = state.withLock { state -> ([Element], OneShot<Void>?) in
            let room = max(0, limit - state.waiting.count)
            state.waiting += elements.prefix(room)
            return (Array(elements.dropFirst(room)), state.waiting.isEmpty ? nil : state.takers.popLast())
        }
        taker?.finish(.success(()))
        return surplus
    }

    /// Takes all that waits, up to `limit`; waits while there is nothing.
    ///
    /// Nil once closed and empty.
    func take(upTo limit: Int) async -> [Element]? {
        while true {
            let turn = OneShot<Void>()
            let (batch, isOver, next) = state.withLock { state -> ([Element], Bool, OneShot<Void>?) in
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

    /// Ends the takers once nothing waits, or at once when what waits is dropped.
    func close(dropping: Bool = false) {
        let takers = state.withLock { state in
            state.isClosed = true
            if dropping { state.waiting = [] }
            defer { state.takers = [] }
            return state.takers
        }
        for taker in takers { taker.finish(.success(())) }
    }
}
