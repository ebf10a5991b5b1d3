// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Synchronization
import Workflow

/// How full the services' backlogs are: what the ledger said last, plus what this process has accepted since.
final class BacklogGauge: Sendable {
    private let ledger: any Ledger
    private let limits: [String: Int]
    private let waiting = Mutex<[String: Int]>([:])

    init(ledger: any Ledger, catalog: AppCatalog) {
        self.ledger = ledger
        limits = catalog.services.mapValues(\.backlog)
    }

    /// The first of these services whose backlog is full, with its limit.
    func full(among services: some Sequence<String>) -> (service: String, limit: Int)? {
        waiting.withLock { waiting in
            for service in services {
                if let limit = limits[service], waiting[service, default: 0] >= limit { return (service, limit) }
            }
            return nil
        }
    }

    /// Counts jobs that were just accepted.
    func add(_ jobs: [JobRecord]) {
        waiting.withLock { waiting in
            for record in jobs { waiting[record.job.service, default: 0] += 1 }
        }
    }

    /// Reads the loads again.
    func refresh() async throws(LedgerError) {
        let loads = try await ledger.loads(of: limits.keys.sorted())
        waiting.withLock { waiting in
            for load in loads { waiting[load.service] = load.waiting }
        }
    }
}
