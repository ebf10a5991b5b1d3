// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import ResultStore
import Workflow

/// The part of the follow-up that both APIs share: stops what was cancelled, wakes who waits for a direct job.
public struct SettledHints: SettledFollowUp {
    private let results: any ResultStore

    /// Makes one that tells its hints by this store.
    public init(results: any ResultStore) {
        self.results = results
    }

    /// Tells of the cancelled leases and of the direct jobs that ended.
    public func settled(_ outcome: SettleOutcome) {
        let leases = outcome.cancelled.compactMap(\.lease)
        if !leases.isEmpty { results.tell(.cancelled(leases)) }
        if !outcome.ended.isEmpty { results.tell(.ended(outcome.ended.map(\.id))) }
    }
}
