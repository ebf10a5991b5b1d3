// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Delays between tries that double up to a cap, with jitter so that many clients do not come back at once.
public struct Backoff: Sendable, Hashable {
    /// The delay after the first failure.
    public var base: Duration
    /// The longest delay.
    public var cap: Duration
    /// The part of a delay that is random, 0 to 1: 0.5 means between half and the whole.
    public var jitter: Double

    /// Makes a back-off.
    public init(base: Duration, cap: Duration, jitter: Double = 0.5) {
        self.base = base
        self.cap = cap
        self.jitter = jitter
    }

    /// Tells how long to wait after `failures` failures in a row (1 for the first).
    public func delay(afterFailures failures: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        guard failures > 0 else { return .zero }
        let doublings = min(failures - 1, 30)
        let full = min(base * (1 << doublings), cap)
        let factor = 1 - jitter * Double.random(in: 0...1, using: &generator)
        return full * factor
    }

    /// Tells how long to wait after `failures` failures in a row, with the system's randomness.
    public func delay(afterFailures failures: Int) -> Duration {
        var generator = SystemRandomNumberGenerator()
        return delay(afterFailures: failures, using: &generator)
    }
}
