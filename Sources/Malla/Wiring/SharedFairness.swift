// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Ledger
import Synchronization

/// What all APIs of one process use together: made by the first that asks.
final class SharedFairness: Sendable {
    private let parts = Mutex<(ranking: FairRanking, limits: LimitGate)?>(nil)

    /// Learns where the queues stand, so that the first ranks do not go ahead of all that waits; does nothing before the
    /// parts are made.
    func learn() async throws(LedgerError) {
        try await parts.withLock { $0?.ranking }?.sync()
    }

    /// The parts, made now when nobody has asked before.
    func made(
        _ make: () throws -> (ranking: FairRanking, limits: LimitGate)
    ) rethrows -> (ranking: FairRanking, limits: LimitGate) {
        try parts.withLock { parts in
            if let parts { return parts }
            let made = try make()
            parts = made
            return made
        }
    }
}
