// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Synchronization

/// A closure that is set when those who call it have already been made.
///
/// Not a `Mutex` of the closure itself, nor of an optional one: each `withLock` would convert it to the form that the
/// body expects and the outcome back to the form that is stored, two layers more that every later call goes through.
public final class LateClosure<Answer>: Sendable {
    private struct Held: Sendable {
        var closure: @Sendable () -> Answer
    }

    private let held: Mutex<Held>

    /// Makes one that is this closure until another is named.
    public init(_ closure: @escaping @Sendable () -> Answer) {
        held = Mutex(Held(closure: closure))
    }

    /// Replaces it.
    public func name(_ closure: @escaping @Sendable () -> Answer) {
        held.withLock { $0.closure = closure }
    }

    /// Calls it, outside of any lock.
    public func callAsFunction() -> Answer { held.withLock { $0 }.closure() }
}
