// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
import Synchronization

/// The ledger's clock, read without asking it each time: deadlines are given and judged by one clock for the whole mesh.
///
/// It goes by the time that has passed here since the ledger was asked, so a wrong or jumping clock of this machine
/// does not matter. Until the ledger has been asked it is this machine's clock.
public final class LedgerClock: Sendable {
    private let ledger: any Ledger
    private let anchor = Mutex(ClockAnchor())
    /// How old an answer is when it is asked for again: clocks drift by less than a millisecond meanwhile.
    private static let renewal: Duration = .seconds(10)

    /// Makes the clock of this ledger.
    public init(_ ledger: any Ledger) {
        self.ledger = ledger
    }

    /// The moment by the ledger's clock.
    public var now: Timestamp {
        anchor.withLock { $0 }.now() ?? .now
    }

    /// Asks the ledger, unless it was asked a moment ago.
    public func refresh() async throws(LedgerError) {
        if anchor.withLock({ $0 }).now(askedWithin: Self.renewal) != nil { return }
        let before = ContinuousClock.now
        let told = try await ledger.time()
        anchor.withLock { $0.learn(told, askedAt: before) }
    }
}
