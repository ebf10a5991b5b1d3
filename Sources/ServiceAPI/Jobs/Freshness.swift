// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization

/// Keeps an answer for a while; whoever asks while it is being made waits for the same one.
final class Freshness<Value: Sendable>: Sendable {
    private let age: Duration
    private let make: @Sendable () async -> Value
    private let state = Mutex<(task: Task<Value, Never>, madeAt: ContinuousClock.Instant)?>(nil)

    /// Makes one.
    ///
    /// - Parameter age: how old an answer may be.
    init(age: Duration, _ make: @escaping @Sendable () async -> Value) {
        self.age = age
        self.make = make
    }

    /// The answer, at most `age` old.
    var value: Value {
        get async {
            let now = ContinuousClock.now
            let task = state.withLock { state in
                if let state, now - state.madeAt < age { return state.task }
                // Not a child of the caller: others wait for it as well.
                let task = Task { [make] in await make() }
                state = (task, now)
                return task
            }
            return await task.value
        }
    }
}
