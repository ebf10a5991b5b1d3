// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization
public import Workflow

/// One turn of the timer loop of design.md: promotes, reaps, enforces limits and deadlines, sweeps.
///
/// Every API runs one; the ledger's `SKIP LOCKED` keeps them apart. It judges workers only after it has itself
/// reached the ledger without a break for ``Limits/reapAge``: a process that was away or stopped must not declare
/// everybody else dead.
public final class LedgerTimers: Sendable {
    /// How much one turn does, and when.
    public struct Limits: Sendable {
        /// The age of a beat above which its worker counts as dead.
        public var reapAge: Duration = .seconds(6)
        /// How many rows of a kind one turn takes.
        public var batch = 500
        /// How long finished rows stay; nil for ever.
        public var retention: Duration?
        /// The time between two sweeps of finished rows; while there is more to delete, every turn goes on.
        public var sweepInterval: Duration = .seconds(60)
        /// How many finished tasks one statement deletes.
        public var sweepBatch = 200
        /// After how long one turn begins no further statement that deletes: the other timers must not wait for it.
        public var sweepTime: Duration = .milliseconds(100)

        /// Makes the limits.
        public init(retention: Duration? = nil) {
            self.retention = retention
        }
    }

    /// What a turn did, for the follow-up after the commit.
    public struct Turn: Sendable {
        /// How many jobs of each service became due.
        public var promoted: [String: Int] = [:]
        /// Jobs of dead workers that wait again: to be handed to their services.
        public var reaped: [Job] = []
        /// What settling the overdue and the poisonous came to.
        public var outcomes: [SettleOutcome] = []
        /// How many old tasks and jobs were deleted.
        public var swept = 0
    }

    private struct State {
        var reachedSince: ContinuousClock.Instant?
        var lastReached: ContinuousClock.Instant?
        var lastSweep: ContinuousClock.Instant?
    }

    private let ledger: any Ledger
    private let clock: LedgerClock
    private let apps: [String]?
    private let finishing: any RunFinishing
    private let limits: Limits
    private let state = Mutex(State())

    /// Makes the timers of one API.
    ///
    /// - Parameters:
    ///   - apps: the apps whose tasks this API finishes; nil for direct jobs only (a Service API).
    ///   - clock: the clock that this API gives out times by; the timers keep it right.
    ///   - finishing: what the apps add when their runs advance; a Service API passes ``DirectFinishing``.
    public init(
        ledger: any Ledger,
        clock: LedgerClock? = nil,
        apps: [String]?,
        finishing: any RunFinishing = DirectFinishing(),
        limits: Limits = Limits()
    ) {
        self.ledger = ledger
        self.clock = clock ?? LedgerClock(ledger)
        self.apps = apps
        self.finishing = finishing
        self.limits = limits
    }

    /// Does what time asks for, once.
    ///
    /// - Throws: ``LedgerError`` when the ledger is away; what was committed before stays done, and the rest of the
    ///   turn is found again by a later one.
    public func turn(_ report: (Turn) -> Void) async throws(LedgerError) {
        var turn = Turn()
        // Reported whatever happens: a commit must be followed up even if the next statement fails.
        defer { report(turn) }
        do throws(LedgerError) {
            try await clock.refresh()
            turn.promoted = try await ledger.promote(limit: limits.batch)
            try await settleOverdue(&turn)
            if mayJudge() { try await reap(&turn) }
            try await sweep(&turn)
        } catch {
            state.withLock { $0.reachedSince = nil }
            throw error
        }
        noteReached()
    }

    private func settleOverdue(_ turn: inout Turn) async throws(LedgerError) {
        let overdue = try await ledger.overdue(apps: apps, limit: limits.batch)
        guard !overdue.jobs.isEmpty || !overdue.tasks.isEmpty else { return }
        turn.outcomes.append(try await ledger.settle(overdue.jobs, tasks: overdue.tasks, finishing: finishing))
    }

    private func reap(_ turn: inout Turn) async throws(LedgerError) {
        let (ready, poison) = try await ledger.reap(olderThan: limits.reapAge, limit: limits.batch)
        turn.reaped = ready
        // No app ever finishes another's run: the poison of other apps is left to their own App APIs.
        let settlements = poison.compactMap { job -> Settlement? in
            guard let lease = job.lease, job.app.map({ apps?.contains($0) ?? false }) ?? true else { return nil }
            return Settlement(job: job.id, event: .orphaned(lease: lease))
        }
        guard !settlements.isEmpty else { return }
        turn.outcomes.append(try await ledger.settle(settlements, tasks: [], finishing: finishing))
    }

    private func sweep(_ turn: inout Turn) async throws(LedgerError) {
        guard let retention = limits.retention, isSweepDue() else { return }
        let (moment, start) = (clock.now - retention, ContinuousClock.now)
        repeat {
            let gone = try await ledger.sweep(finishedBefore: moment, limit: limits.sweepBatch)
            turn.swept += gone
            if gone < limits.sweepBatch { return state.withLock { $0.lastSweep = .now } }
        } while ContinuousClock.now - start < limits.sweepTime
    }

    private func isSweepDue() -> Bool {
        state.withLock { $0.lastSweep.map { ContinuousClock.now - $0 >= limits.sweepInterval } ?? true }
    }

    private func mayJudge() -> Bool {
        let now = ContinuousClock.now
        return state.withLock { state in
            // A gap between turns (a stopped process, a slept laptop) is a break as well.
            guard let since = state.reachedSince, let last = state.lastReached, now - last < limits.reapAge / 2 else {
                return false
            }
            return now - since >= limits.reapAge
        }
    }

    private func noteReached() {
        let now = ContinuousClock.now
        state.withLock { state in
            if let last = state.lastReached, now - last >= limits.reapAge / 2 { state.reachedSince = nil }
            state.lastReached = now
            if state.reachedSince == nil { state.reachedSince = now }
        }
    }
}
