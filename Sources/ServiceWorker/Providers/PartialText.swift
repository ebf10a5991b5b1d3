// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Synchronization
internal import Workflow

/// Passes pieces of text on as partial output: the first at once, then what comes within a moment together, in order.
final class PartialText: Sendable {
    private struct State {
        var pending = ""
        var isOpen = true
        var isGathering = false
        var hasTold = false
        var mustRestart = false
    }

    private let state = Mutex(State())
    private let context: any HandlerContext
    private let pause: Duration

    /// Makes one that gathers for `pause`.
    init(_ context: any HandlerContext, pause: Duration = .milliseconds(50)) {
        self.context = context
        self.pause = pause
    }

    /// Adds a piece.
    func add(_ text: String) {
        guard !text.isEmpty else { return }
        let mustWait = state.withLock { state in
            guard state.isOpen else { return false }
            state.pending += text
            guard !state.isGathering else { return false }
            state.isGathering = true
            tell(&state)
            return true
        }
        if mustWait { gather() }
    }

    /// What was told does not count: another upstream begins anew.
    func restart() {
        state.withLock { state in
            state.pending = ""
            state.mustRestart = state.hasTold
        }
    }

    /// Tells what is left, and nothing after it.
    func finish() {
        state.withLock { state in
            tell(&state)
            state.isOpen = false
        }
    }

    private func gather() {
        Task { [weak self, pause] in
            repeat {
                // Nobody holds this task, so nobody cancels it.
                do { try await Task.sleep(for: pause) } catch { return }
            } while self?.isGathered() == false
        }
    }

    /// Tells what was gathered; whether nothing was, and nothing is gathered any more.
    private func isGathered() -> Bool {
        state.withLock { state in
            state.isGathering = !state.pending.isEmpty && state.isOpen
            tell(&state)
            return !state.isGathering
        }
    }

    /// Under the lock, so that the pieces keep their order; the context returns at once.
    private func tell(_ state: inout State) {
        guard state.isOpen, !state.pending.isEmpty else { return }
        var piece: JSON = ["content": .string(state.pending)]
        if state.mustRestart { piece = piece.adding("restart", true) }
        context.partial(piece.bytes)
        state.pending = ""
        state.hasTold = true
        state.mustRestart = false
    }
}
