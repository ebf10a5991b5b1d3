// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Ledger
internal import Logging
internal import Plumbing

extension WorkerFloor {
    /// How long an assigned job may be on its way: a few milliseconds, unless something broke.
    private static let journey: Duration = .seconds(3)

    /// Gives back what the ledger says this worker holds and it never heard of: the App API died between its commit and
    /// its message, or the broker lost that.
    ///
    /// - Parameter age: how long ago it must have been given to this worker.
    func giveBackStrays(olderThan age: Duration = journey) async {
        let held: [LeaseProbe]
        do throws(LedgerError) {
            try await clock.refresh()
            held = try await ports.ledger.leases(of: id, olderThan: age)
        } catch {
            // The next beat asks again, and says that the ledger is away.
            return
        }
        let now = ContinuousClock.now
        arrivals.forget(at: now)
        // Asked after the ledger was: what has ended meanwhile is settled there, and can't be given back.
        let kept = outbox.leases
        let strays = held.filter { !kept.contains($0.lease) && !leases.knows($0.lease) }
            .filter { arrivals.refuse($0.lease, at: now) }
        guard !strays.isEmpty else { return }
        offers.withLock { $0.lost(at: now) }
        log.warning(
            "assigned jobs did not come and are given back",
            metadata: [LogKey.count: "\(strays.count)", LogKey.job: "\(strays[0].job)"]
        )
        for probe in strays { Task { await handBack(probe) } }
    }
}
