// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization
import Workflow

/// What has arrived and nobody has taken yet, by task: ten thousand of one do not hold up another's.
///
/// What is about one task is in one taker's hands at a time, as two would only wait for each other's lock on its run;
/// what a taker passes on, as it does with large results, no longer counts as in its hands. While several tasks wait
/// each gets its share of a batch, so that the others' part of a giant's batch is not late.
final class Inbox<Element: Sendable>: Sendable {
    fileprivate struct State {
        /// What waits, by task; nil is what is about no task.
        var waiting: [TaskID?: [Element]] = [:]
        /// The tasks in the order of their turns.
        var turns: [TaskID?] = []
        var count = 0
        /// The tasks that are in a taker's hands.
        var held: Set<TaskID> = []
        var takers: [OneShot<Void>] = []
        var isClosed = false

        /// The tasks of which something may be taken.
        var open: [TaskID?] { turns.filter(isOpen) }

        /// Whether no taker has a task in its hands.
        func isOpen(_ task: TaskID?) -> Bool { task.map { !held.contains($0) } ?? true }
    }

    private let limit: Int
    private let task: @Sendable (Element) -> TaskID?
    private let state = Mutex(State())

    /// Makes an inbox.
    ///
    /// - Parameters:
    ///   - limit: how many elements wait at most.
    ///   - task: the task that an element is about; what is about none is taken by whoever comes.
    init(limit: Int = .max, task: @escaping @Sendable (Element) -> TaskID? = { _ in nil }) {
        self.limit = limit
        self.task = task
    }

    /// How many takers wait.
    var waitingTakers: Int { state.withLock { $0.takers.count } }

    /// How many elements wait.
    var count: Int { state.withLock(\.count) }

    /// Adds elements; may be called on a broker's thread, so it never waits.
    ///
    /// - Returns: those that have no room; once closed that is all of them.
    @discardableResult
    func put(_ elements: [Element]) -> [Element] {
        let (surplus, taker) = state.withLock { state -> ([Element], OneShot<Void>?) in
            let room = state.isClosed ? 0 : max(0, limit - state.count)
            for element in elements.prefix(room) {
                let task = task(element)
                if state.waiting[task] == nil { state.turns.append(task) }
                state.waiting[task, default: []].append(element)
                state.count += 1
            }
            return (Array(elements.dropFirst(room)), state.wakeable())
        }
        taker?.finish(.success(()))
        return surplus
    }

    /// Takes what waits, up to `limit`; waits while there is nothing.
    ///
    /// Nil once closed. ``done(_:)`` is to be called when the batch has been dealt with.
    func take(upTo limit: Int) async -> [Element]? {
        while true {
            let turn = OneShot<Void>()
            let (batch, isOver, next) = state.withLock { state -> ([Element], Bool, OneShot<Void>?) in
                let batch = state.take(upTo: limit)
                if batch.isEmpty, !state.isClosed { state.takers.append(turn) }
                // What is left is the next lane's.
                return (batch, state.isClosed, batch.isEmpty ? nil : state.wakeable())
            }
            next?.finish(.success(()))
            if !batch.isEmpty { return batch }
            if isOver { return nil }
            do {
                try await turn.value()
            } catch {
                withdraw(turn)
                return nil
            }
        }
    }

    /// A batch has been dealt with: what else waits of its tasks may be taken.
    func done(_ batch: [Element]) {
        let taker = state.withLock { state in
            for element in batch { if let task = task(element) { state.held.remove(task) } }
            return state.wakeable()
        }
        taker?.finish(.success(()))
    }

    /// Forgets what waits and answers to this.
    func drop(where isStale: (Element) -> Bool) {
        state.withLock { state in
            for (task, elements) in state.waiting {
                let rest = elements.filter { !isStale($0) }
                state.count -= elements.count - rest.count
                state.waiting[task] = rest.isEmpty ? nil : rest
            }
            let waiting = Set(state.waiting.keys)
            state.turns.removeAll { !waiting.contains($0) }
        }
    }

    /// A taker that was cancelled waits no more; if it was woken meanwhile, another one comes in its place.
    private func withdraw(_ turn: OneShot<Void>) {
        let taker = state.withLock { state -> OneShot<Void>? in
            guard let place = state.takers.firstIndex(where: { $0 === turn }) else { return state.wakeable() }
            state.takers.remove(at: place)
            return nil
        }
        taker?.finish(.success(()))
    }

    /// Ends the takers, forgets what waits and takes nothing more.
    func close() {
        let takers = state.withLock { state in
            state.isClosed = true
            (state.waiting, state.turns, state.count) = ([:], [], 0)
            defer { state.takers = [] }
            return state.takers
        }
        for taker in takers { taker.finish(.success(())) }
    }
}

extension Inbox.State {
    /// What a batch holds at least of each task in it, if there is so much.
    private static var share: Int { 32 }

    /// A taker to wake, when there is something for it.
    fileprivate mutating func wakeable() -> OneShot<Void>? {
        !takers.isEmpty && turns.contains(where: isOpen) ? takers.popLast() : nil
    }

    /// Takes of each task in turn, and lets those that leave something behind wait longest.
    ///
    /// Where more waits than one batch holds, the takers that wait get their part of the tasks.
    fileprivate mutating func take(upTo limit: Int) -> [Element] {
        let open = open
        guard !open.isEmpty else { return [] }
        let isLong = open.count > 1 && open.reduce(0) { $0 + (waiting[$1]?.count ?? 0) } > limit
        let mine = open.prefix(isLong ? (open.count + takers.count) / (takers.count + 1) : open.count)
        let share = max(Self.share, limit / mine.count)
        var batch: [Element] = []
        var served: Set<TaskID?> = []
        for task in mine where batch.count < limit {
            guard var elements = waiting[task] else { continue }
            let part = elements.prefix(min(share, limit - batch.count))
            batch += part
            elements.removeFirst(part.count)
            waiting[task] = elements.isEmpty ? nil : elements
            served.insert(task)
            if let task { held.insert(task) }
        }
        turns = turns.filter { !served.contains($0) } + turns.filter { served.contains($0) && waiting[$0] != nil }
        count -= batch.count
        return batch
    }
}
