// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// What is known of a ledger's clock: what it said last, and how much time has passed here since.
///
/// A wrong or jumping clock of this machine does not matter.
public struct ClockAnchor: Sendable {
    private var known: (ledger: Timestamp, here: ContinuousClock.Instant, took: Duration)?
    /// An answer that took no longer is exact enough.
    private static let quick: Duration = .milliseconds(10)
    /// One that took longer says less than a quicker one that is known, unless that is so old.
    private static let aged: Duration = .seconds(10)
    /// One that took so long says less than any, unless that is older still.
    private static let patience: Duration = .milliseconds(200)
    private static let old: Duration = .seconds(30)

    /// Makes one that knows nothing.
    public init() {}

    /// Takes what the ledger said at some moment since `before`.
    public mutating func learn(_ told: Timestamp, askedAt before: ContinuousClock.Instant) {
        let now = ContinuousClock.now
        let took = now - before
        if let known, took > Self.quick, took > known.took {
            guard now - known.here > (took < Self.patience ? Self.aged : Self.old) else { return }
        }
        known = (told, before + took / 2, took)
    }

    /// The moment by the ledger's clock, if that was asked; with an `age`, within that.
    public func now(askedWithin age: Duration? = nil) -> Timestamp? {
        guard let known else { return nil }
        let passed = ContinuousClock.now - known.here
        if let age, passed >= age { return nil }
        return known.ledger + passed
    }
}
