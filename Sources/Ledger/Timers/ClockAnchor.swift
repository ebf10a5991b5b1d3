// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// What is known of a ledger's clock: what it said last, and how much time has passed here since.
///
/// A wrong or jumping clock of this machine does not matter.
public struct ClockAnchor: Sendable {
    private var known: (ledger: Timestamp, here: ContinuousClock.Instant)?
    /// An answer that took longer says less than what is known already, unless that is old.
    private static let patience: Duration = .milliseconds(200)
    private static let old: Duration = .seconds(30)

    /// Makes one that knows nothing.
    public init() {}

    /// Takes what the ledger said at some moment since `before`.
    public mutating func learn(_ told: Timestamp, askedAt before: ContinuousClock.Instant) {
        let now = ContinuousClock.now
        let took = now - before
        if took < Self.patience || known.map({ now - $0.here > Self.old }) ?? true { known = (told, before + took / 2) }
    }

    /// The moment by the ledger's clock, if that was asked; with an `age`, within that.
    public func now(askedWithin age: Duration? = nil) -> Timestamp? {
        guard let known else { return nil }
        let passed = ContinuousClock.now - known.here
        if let age, passed >= age { return nil }
        return known.ledger + passed
    }
}
