// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Synchronization

/// Lets jobs in together, but one that has outlived several workers alone.
///
/// A job that waits to run alone keeps new ones out, so that its turn comes.
final class AloneGate: Sendable {
    private struct State {
        var running = 0
        var isAloneInside = false
        var wasClosed = false
        var waitingAlone: [OneShot<Void>] = []
        var waitingTogether: [OneShot<Void>] = []
    }

    private struct Grant {
        var waiter: OneShot<Void>
        var isAlone: Bool
    }

    private let state = Mutex(State())
    private let opened: @Sendable () -> Void

    /// Makes an open gate; `opened` is called whenever it opens again.
    init(opened: @escaping @Sendable () -> Void) {
        self.opened = opened
    }

    /// Whether new jobs may come.
    var isOpen: Bool { state.withLock { !$0.isAloneInside && $0.waitingAlone.isEmpty } }

    /// Waits for its turn.
    ///
    /// - Throws: `CancellationError` when the task was cancelled first; the caller is not inside then.
    func enter(alone: Bool) async throws {
        let waiter = state.withLock { state -> OneShot<Void>? in
            if !alone, !state.isAloneInside, state.waitingAlone.isEmpty {
                state.running += 1
                return nil
            }
            let waiter = OneShot<Void>()
            state.wasClosed = true
            if alone { state.waitingAlone.append(waiter) } else { state.waitingTogether.append(waiter) }
            return waiter
        }
        guard let waiter else { return }
        advance()
        do {
            try await waiter.value()
        } catch {
            state.withLock { state in
                state.waitingAlone.removeAll { $0 === waiter }
                state.waitingTogether.removeAll { $0 === waiter }
            }
            advance()
            throw error
        }
    }

    /// Says that a job that was let in is done.
    func leave(alone: Bool) {
        state.withLock { state in
            state.running -= 1
            if alone { state.isAloneInside = false }
        }
        advance()
    }

    private func advance() {
        let (grants, hasOpened) = state.withLock { state -> ([Grant], Bool) in
            guard !state.isAloneInside else { return ([], false) }
            if let first = state.waitingAlone.first {
                guard state.running == 0 else { return ([], false) }
                state.waitingAlone.removeFirst()
                state.isAloneInside = true
                state.running = 1
                return ([Grant(waiter: first, isAlone: true)], false)
            }
            let waiters = state.waitingTogether
            state.waitingTogether = []
            state.running += waiters.count
            defer { state.wasClosed = false }
            return (waiters.map { Grant(waiter: $0, isAlone: false) }, state.wasClosed)
        }
        for grant in grants where !grant.waiter.finish(.success(())) {
            leave(alone: grant.isAlone)
        }
        if hasOpened { opened() }
    }
}
