// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Keeps what is done again and again to a share of the time: what takes longer is done less often.
package struct CostPace: Sendable {
    private let share: Double
    private let longest: Duration
    private var notBefore: ContinuousClock.Instant?

    /// Makes a pace that has seen nothing.
    ///
    /// - Parameters:
    ///   - share: the part of the time that it may take, above 0.
    ///   - longest: the longest pause, however long it took.
    package init(share: Double, longest: Duration) {
        self.share = share
        self.longest = longest
    }

    /// Whether it may be done again.
    package func isDue(at now: ContinuousClock.Instant) -> Bool { notBefore.map { $0 <= now } ?? true }

    /// It was done.
    package mutating func note(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) {
        notBefore = start + min(longest, (end - start) / share)
    }
}
