// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Ledger
internal import Logging
internal import Plumbing
internal import Workflow

extension WorkerFloor {
    /// How long an assigned job may be on its way: a few milliseconds, unless something broke.
    private static let journey: Duration = .seconds(3)

    /// Whether the worker has a job under this lease, or asks for one, or has its completion.
    func knows(_ lease: LeaseID) -> Bool { leases.knows(lease) || outbox.holds(lease) }

    /// Gives back what the ledger says this worker holds and it never heard of: the App API died between its commit and
    /// its message, or the broker lost that.
    ///
    /// - Parameter age: how long ago it must have been given to this worker.
    func giveBackStrays(olderThan age: Duration = journey) async {
        let begun = ContinuousClock.now
        let held: [LeaseProbe]
        do throws(LedgerError) {
            held = try await ports.ledger.leases(of: id, olderThan: age)
        } catch {
            // The next beat asks again, and says that the ledger is away.
            return
        }
        let now = ContinuousClock.now
        arrivals.forget(at: now)
        offers.withLock { $0.checked(at: begun) }
        // Asked after the ledger was: what has ended meanwhile is settled there, and can't be given back.
        let strays = held.filter { !knows($0.lease) && arrivals.refuse($0.lease, at: now) }
        guard !strays.isEmpty else { return }
        offers.withLock { $0.lost(at: now) }
        log.warning(
            "assigned jobs did not come and are given back",
            metadata: [LogKey.count: "\(strays.count)", LogKey.job: "\(strays[0].job)"]
        )
        await withDiscardingTaskGroup { group in
            for probe in strays { group.addTask { await self.handBack(probe) } }
        }
    }
}
