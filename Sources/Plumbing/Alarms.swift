// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

/// Calls what is due, with one sleeping task for all that waits.
///
/// Nearly every time limit is lifted long before it ends: then setting it and lifting it cost no more than a place in a
/// dictionary, where a sleep of its own costs a task, a timer and a wake-up to be told that it is not needed.
final class Alarms: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct State {
        var waiting: [UInt64: (at: Instant, ring: @Sendable () -> Void)] = [:]
        var lastID: UInt64 = 0
        var wakesAt: Instant?
        var sleeper: Task<Void, Never>?
    }

    /// How late an alarm may be: those that are due within so much are called together.
    static let slack: Duration = .milliseconds(20)

    private let state = Mutex(State())

    /// The one of the process.
    static let shared = Alarms()

    /// How many wait.
    var count: Int { state.withLock { $0.waiting.count } }

    /// Has `ring` called at a moment or up to ``slack`` later, unless it is lifted before; it must not wait.
    func set(at instant: Instant, _ ring: @escaping @Sendable () -> Void) -> UInt64 {
        state.withLock { state in
            state.lastID += 1
            state.waiting[state.lastID] = (instant, ring)
            if state.wakesAt.map({ instant + Self.slack < $0 }) ?? true { sleep(until: instant + Self.slack, &state) }
            return state.lastID
        }
    }

    /// Lifts an alarm; tells whether it was still to be called.
    @discardableResult
    func lift(_ id: UInt64) -> Bool { state.withLock { $0.waiting.removeValue(forKey: id) != nil } }

    private func sleep(until instant: Instant, _ state: inout State) {
        state.sleeper?.cancel()
        state.wakesAt = instant
        // Nobody's child: it serves whoever waits, and ends by itself when nobody does.
        state.sleeper = Task.detached { [self] in
            do { try await Task.sleep(until: instant, clock: .continuous) } catch { return }
            wake(at: instant)
        }
    }

    private func wake(at instant: Instant) {
        let now = ContinuousClock.now
        let due = state.withLock { state -> [@Sendable () -> Void] in
            // Its cancellation came too late: another sleeper has taken its place.
            guard state.wakesAt == instant else { return [] }
            let due = state.waiting.filter { $0.value.at <= now }
            for id in due.keys { state.waiting[id] = nil }
            (state.wakesAt, state.sleeper) = (nil, nil)
            if let next = state.waiting.values.lazy.map(\.at).min() { sleep(until: next + Self.slack, &state) }
            return due.values.sorted { $0.at < $1.at }.map(\.ring)
        }
        for ring in due { ring() }
    }
}
