// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization

/// What has arrived and nobody has taken yet, by whom it concerns: ten thousand of one task do not hold up another's.
///
/// What concerns one task is in one taker's hands at a time: two would only wait for each other's lock on its run. A
/// taker gives each task that waits its share, so that a batch of many is short.
final class Inbox<Element: Sendable>: Sendable {
    /// What one batch holds of one concern while others wait.
    private static var share: Int { 32 }

    fileprivate struct State {
        /// What waits, by concern; that of nobody under the empty name.
        var waiting: [String: [Element]] = [:]
        /// The concerns in the order of their turns.
        var turns: [String] = []
        var count = 0
        /// The concerns that are in a taker's hands.
        var held: Set<String> = []
        var takers: [OneShot<Void>] = []
        var isClosed = false

        var hasSomethingToTake: Bool { turns.contains { !held.contains($0) } }
    }

    private let limit: Int
    private let concern: @Sendable (Element) -> String?
    private let state = Mutex(State())

    /// Makes an inbox.
    ///
    /// - Parameters:
    ///   - limit: how many elements wait at most.
    ///   - concern: whom an element concerns; those of nobody are taken in their order by whoever comes.
    init(limit: Int = .max, concern: @escaping @Sendable (Element) -> String? = { _ in nil }) {
        self.limit = limit
        self.concern = concern
    }

    /// Adds elements; may be called on a broker's thread, so it never waits.
    ///
    /// - Returns: those that have no room.
    @discardableResult
    func put(_ elements: [Element]) -> [Element] {
        let (surplus, taker) = state.withLock { state -> ([Element], OneShot<Void>?) in
            let room = max(0, limit - state.count)
            for element in elements.prefix(room) {
                let name = concern(element) ?? ""
                if state.waiting[name] == nil { state.turns.append(name) }
                state.waiting[name, default: []].append(element)
                state.count += 1
            }
            return (Array(elements.dropFirst(room)), state.hasSomethingToTake ? state.takers.popLast() : nil)
        }
        taker?.finish(.success(()))
        return surplus
    }

    /// Takes what waits, up to `limit`; waits while there is nothing.
    ///
    /// Nil once closed and empty. ``done(_:)`` is to be called when the batch has been dealt with.
    func take(upTo limit: Int) async -> [Element]? {
        while true {
            let turn = OneShot<Void>()
            let (batch, isOver, next) = state.withLock { state -> ([Element], Bool, OneShot<Void>?) in
                let batch = state.take(upTo: limit, share: Self.share)
                if batch.isEmpty, !state.isClosed { state.takers.append(turn) }
                // What is left is the next lane's.
                let next = !batch.isEmpty && state.hasSomethingToTake ? state.takers.popLast() : nil
                return (batch, state.isClosed, next)
            }
            next?.finish(.success(()))
            if !batch.isEmpty { return batch }
            if isOver { return nil }
            do { try await turn.value() } catch { return nil }
        }
    }

    /// A batch has been dealt with: what else waits of the same concerns may be taken.
    func done(_ batch: [Element]) {
        let taker = state.withLock { state in
            for element in batch { _ = concern(element).map { state.held.remove($0) } }
            return state.hasSomethingToTake ? state.takers.popLast() : nil
        }
        taker?.finish(.success(()))
    }

    /// Ends the takers once nothing waits, or at once when what waits is dropped.
    func close(dropping: Bool = false) {
        let takers = state.withLock { state in
            state.isClosed = true
            if dropping { (state.waiting, state.turns, state.count) = ([:], [], 0) }
            defer { state.takers = [] }
            return state.takers
        }
        for taker in takers { taker.finish(.success(())) }
    }
}

extension Inbox.State {
    /// Takes of each concern in turn, and lets those that leave something behind wait longest.
    fileprivate mutating func take(upTo limit: Int, share: Int) -> [Element] {
        let share = turns.count > 1 ? share : limit
        var batch: [Element] = []
        var (passed, served): ([String], [String]) = ([], [])
        for name in turns {
            guard batch.count < limit, !held.contains(name), var mine = waiting[name] else {
                passed.append(name)
                continue
            }
            let part = mine.prefix(min(share, limit - batch.count))
            batch += part
            mine.removeFirst(part.count)
            waiting[name] = mine.isEmpty ? nil : mine
            if !mine.isEmpty { served.append(name) }
            if !name.isEmpty { held.insert(name) }
        }
        turns = passed + served
        count -= batch.count
        return batch
    }
}
