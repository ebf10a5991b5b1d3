// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// What is known of a ledger's clock: what it said last, and how much time has passed here since.
///
/// A wrong or jumping clock of this machine does not matter.
public struct ClockAnchor: Sendable {
    private var known: (ledger: Timestamp, here: ContinuousClock.Instant)?
    /// An answer that took longer says less than what is known already.
    private static let patience: Duration = .milliseconds(200)

    /// Makes one that knows nothing.
    public init() {}

    /// Takes what the ledger said at some moment since `before`.
    public mutating func learn(_ told: Timestamp, askedAt before: ContinuousClock.Instant) {
        let took = ContinuousClock.now - before
        if known == nil || took < Self.patience { known = (told, before + took / 2) }
    }

    /// The moment by the ledger's clock, if that was asked within `age`.
    public func now(askedWithin age: Duration) -> Timestamp? {
        guard let known else { return nil }
        let passed = ContinuousClock.now - known.here
        return passed < age ? known.ledger + passed : nil
    }
}
