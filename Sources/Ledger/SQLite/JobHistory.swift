// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
import Ledger
import Plumbing
import Workflow

/// The attempts of jobs that did not succeed, in the rows' column `history`.
enum JobHistory {
    /// How many attempts of a job are kept.
    private static let kept = 20

    /// The attempt that this event ends; nil when it ends none, or as a success.
    ///
    /// - Parameter job: as it is before the event.
    static func ended(_ job: Job, by event: JobEvent, at now: Timestamp) -> AttemptRecord? {
        guard job.state == .running else { return nil }
        var error: JobError?
        let outcome: String
        switch event {
        case .claimed, .completed: return nil
        case .failed(_, let reason): (outcome, error) = ("failed", reason)
        case .handlerDied(_, let reason): (outcome, error) = ("handler_died", reason)
        case .handedBack: outcome = "handed_back"
        case .orphaned: outcome = "worker_lost"
        case .attemptTimedOut, .deadlinePassed:
            (outcome, error) = ("timed_out", JobRules.apply(event, to: job, at: now)?.error)
        case .cancelled: outcome = "cancelled"
        case .retried: outcome = "retried"
        }
        return AttemptRecord(
            attempt: job.attempt,
            worker: job.worker,
            startedAt: job.startedAt,
            endedAt: now,
            outcome: outcome,
            error: error
        )
    }

    /// Appends the attempt that an event ended.
    static func note(_ event: JobEvent, on before: Job, at now: Timestamp, _ db: Database) throws {
        guard let attempt = ended(before, by: event, at: now) else { return }
        try append(attempt, to: before.id, db)
    }

    /// Appends the attempts that settlements ended: a job's first event that was applied, for after it nothing runs.
    static func note(
        _ settlements: [Settlement],
        _ verdicts: [SettleOutcome.Verdict],
        before: [JobID: Job],
        at now: Timestamp,
        _ db: Database
    ) throws {
        var seen: Set<JobID> = []
        for (settlement, verdict) in zip(settlements, verdicts) {
            guard case .applied = verdict, seen.insert(settlement.job).inserted, let job = before[settlement.job] else {
                continue
            }
            try note(settlement.event, on: job, at: now, db)
        }
    }

    /// The attempts of a job, oldest first.
    static func read(_ job: JobID, _ db: Database) throws -> [AttemptRecord] {
        let bytes = try db.first("SELECT history FROM jobs WHERE id = ?", [job.blob]) { try $0.bytes(0) } ?? nil
        guard let bytes else { return [] }
        do {
            return (try JSON(parsing: bytes).array ?? []).compactMap(decode)
        } catch {
            throw LedgerError(.corrupt, "the history of job \(job): \(error)")
        }
    }

    /// Appends an attempt and forgets the oldest beyond those that are kept.
    static func append(_ attempt: AttemptRecord, to job: JobID, _ db: Database) throws {
        let history = JSON.array((try read(job, db) + [attempt]).suffix(kept).map(encode))
        try db.run("UPDATE jobs SET history = ? WHERE id = ?", [history.bytes.blob, job.blob])
    }

    private static func encode(_ attempt: AttemptRecord) -> JSON {
        var json: JSON = [
            "attempt": .number(JSONNumber(attempt.attempt)),
            "ended": .number(JSONNumber(Int(attempt.endedAt.microseconds))), "outcome": .string(attempt.outcome),
        ]
        if let worker = attempt.worker { json = json.adding("worker", .string(worker)) }
        if let moment = attempt.startedAt {
            json = json.adding("started", .number(JSONNumber(Int(moment.microseconds))))
        }
        return attempt.error.map { json.adding("error", $0.json) } ?? json
    }

    private static func decode(_ json: JSON) -> AttemptRecord? {
        guard let number = json["attempt"]?.int, let ended = json["ended"]?.int, let outcome = json["outcome"]?.string
        else { return nil }
        return AttemptRecord(
            attempt: number,
            worker: json["worker"]?.string,
            startedAt: json["started"]?.int.map { Timestamp(microseconds: Int64($0)) },
            endedAt: Timestamp(microseconds: Int64(ended)),
            outcome: outcome,
            error: json["error"].flatMap { JobError(json: $0) }
        )
    }
}
