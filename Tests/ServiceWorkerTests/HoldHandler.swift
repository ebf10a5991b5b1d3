// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization
import Workflow

@testable import ServiceWorker

/// A handler that tells when it starts and ends, and runs until it is let go or cancelled.
final class HoldHandler: NativeHandler {
    private struct State {
        var inside = 0
        var most = 0
        var isOpen = false
        var waiting: [OneShot<Void>] = []
    }

    private let state = Mutex(State())
    private let startedSink: AsyncStream<Job>.Continuation
    private let stoppedSink: AsyncStream<Job>.Continuation
    /// The jobs as they start.
    let started: AsyncStream<Job>
    /// The jobs that were cancelled, as they stop.
    let stopped: AsyncStream<Job>

    init() {
        (started, startedSink) = AsyncStream.makeStream()
        (stopped, stoppedSink) = AsyncStream.makeStream()
    }

    /// How many ran at once at most.
    var most: Int { state.withLock { $0.most } }
    /// How many run now.
    var inside: Int { state.withLock { $0.inside } }

    /// Lets all go on, now and later.
    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for one in waiting { one.finish(.success(())) }
    }

    func run(_ input: JSON, context: NativeContext) async throws -> JSON {
        let wait = state.withLock { state -> OneShot<Void>? in
            state.inside += 1
            state.most = max(state.most, state.inside)
            guard !state.isOpen else { return nil }
            let wait = OneShot<Void>()
            state.waiting.append(wait)
            return wait
        }
        defer { state.withLock { $0.inside -= 1 } }
        startedSink.yield(context.job)
        context.progress(["part": 1])
        do {
            try await wait?.value()
        } catch {
            stoppedSink.yield(context.job)
            throw error
        }
        return ["ok": true]
    }
}

/// A handler that is a function.
struct FunctionHandler: NativeHandler {
    let body: @Sendable (JSON) async throws -> JSON

    func run(_ input: JSON, context: NativeContext) async throws -> JSON { try await body(input) }
}
