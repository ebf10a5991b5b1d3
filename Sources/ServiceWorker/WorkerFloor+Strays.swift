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

    /// Gives back what the ledger says was given to this worker and it never heard of: the App API died between its
    /// commit and its message, or the broker lost that.
    ///
    /// - Parameter age: how long ago it must have been given.
    func giveBackStrays(olderThan age: Duration = journey) async {
        await giveBackStrays(olderThan: age) { [arrivals] in arrivals.refuse($0, at: .now) }
    }

    /// Gives back all that was given to this worker and does not run: it begins nothing any more.
    func giveBackLast() async {
        await giveBackStrays(olderThan: .zero) { _ in true }
    }

    private func giveBackStrays(olderThan age: Duration, where isStray: (LeaseID) -> Bool) async {
        let begun = ContinuousClock.now
        let held: [LeaseProbe]
        do throws(LedgerError) {
            held = try await ports.ledger.assigned(to: id, olderThan: age)
        } catch {
            // The next beat asks again, and says that the ledger is away.
            return
        }
        arrivals.forget(at: begun)
        // Asked after the ledger was: what has ended meanwhile is settled there, and can't be given back.
        let strays = held.filter { !knows($0.lease) && isStray($0.lease) }
        guard !strays.isEmpty else { return offers.withLock { $0.checked(at: begun) } }
        offers.withLock { $0.lost(at: begun) }
        log.warning(
            "assigned jobs did not come and are given back",
            metadata: [LogKey.count: "\(strays.count)", LogKey.job: "\(strays[0].job)"]
        )
        await withDiscardingTaskGroup { group in
            for probe in strays { group.addTask { await self.handBack(probe) } }
        }
    }
}
