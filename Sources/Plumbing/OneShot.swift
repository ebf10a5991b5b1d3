// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

/// A result that is delivered once to one waiter, from any thread.
///
/// It is the project's only bridge from callbacks to `await`: finishing twice is harmless, finishing before the
/// wait is remembered, a cancelled waiter leaves at once and the late result is dropped. The continuation is
/// always resumed outside the lock.
public final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Value, any Error>)
        case done(Result<Value, any Error>)
    }

    private let state = Mutex(State.idle)

    /// Makes an unfinished one.
    public init() {}

    /// Delivers the result; tells whether this call was the first.
    @discardableResult
    public func finish(_ result: Result<Value, any Error>) -> Bool {
        let (waiter, isFirst) = state.withLock { state -> (CheckedContinuation<Value, any Error>?, Bool) in
            switch state {
            case .idle:
                state = .done(result)
                return (nil, true)
            case .waiting(let continuation):
                state = .done(result)
                return (continuation, true)
            case .done:
                return (nil, false)
            }
        }
        waiter?.resume(with: result)
        return isFirst
    }

    /// Waits for the result.
    ///
    /// - Throws: the failure that was delivered, or `CancellationError` when the waiting task was cancelled.
    public func value() async throws -> Value {
        try await withTaskCancellationHandler {
            try await valueInAnyCase()
        } onCancel: {
            finish(.failure(CancellationError()))
        }
    }

    /// Waits for the result, whether or not the waiting task is cancelled: for what must not be left half done.
    ///
    /// - Throws: the failure that was delivered.
    public nonisolated(nonsending) func valueInAnyCase() async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let ready = state.withLock { state -> Result<Value, any Error>? in
                switch state {
                case .idle:
                    state = .waiting(continuation)
                    return nil
                case .waiting:
                    preconditionFailure("a OneShot has one waiter")
                case .done(let result):
                    return result
                }
            }
            if let ready { continuation.resume(with: ready) }
        }
    }
}
