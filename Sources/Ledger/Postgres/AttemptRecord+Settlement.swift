// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension AttemptRecord {
    /// The attempts that settlements ended without success, by job.
    ///
    /// - Parameters:
    ///   - settlements: what was judged, with `verdicts` in the same order.
    ///   - before: the rows as they were.
    static func ended(
        by settlements: [Settlement],
        verdicts: [SettleOutcome.Verdict],
        before: [JobID: Job],
        at now: Timestamp
    ) -> [JobID: AttemptRecord] {
        var seen: Set<JobID> = []
        var attempts: [JobID: AttemptRecord] = [:]
        for (settlement, verdict) in zip(settlements, verdicts) {
            // Whatever is applied first to a running job ends its attempt; what comes after finds none.
            guard case .applied(let state) = verdict, seen.insert(settlement.job).inserted,
                let job = before[settlement.job], job.state == .running,
                let (outcome, error) = describe(settlement.event, of: job, as: state)
            else { continue }
            attempts[job.id] = AttemptRecord(
                attempt: job.attempt,
                worker: job.worker,
                startedAt: job.startedAt,
                endedAt: now,
                outcome: outcome,
                error: error
            )
        }
        return attempts
    }

    private static func describe(
        _ event: JobEvent,
        of job: Job,
        as state: JobState
    ) -> (outcome: String, error: JobError?)? {
        switch event {
        case .failed(_, let error): ("failed", error)
        case .handlerDied(_, let error): ("handler_died", error)
        case .orphaned: ("worker_lost", nil)
        case .handedBack: ("handed_back", nil)
        case .retried: ("retried", nil)
        case .cancelled: ("cancelled", nil)
        case .attemptTimedOut:
            ("timed_out", JobError(.timeout, "the attempt took longer than \(Quantity.text(job.timeout))"))
        case .deadlinePassed: ("timed_out", JobError(.timeout, "the deadline passed", isFinal: true))
        case .completed, .claimed: nil
        }
    }
}
