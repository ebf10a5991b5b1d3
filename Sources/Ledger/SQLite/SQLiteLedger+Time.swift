// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
public import Ledger
public import Plumbing
public import Workflow

extension SQLiteLedger {
    /// Requeues the jobs of dead workers.
    public func reap(olderThan age: Duration, limit: Int) async throws(LedgerError) -> (ready: [Job], poison: [Job]) {
        try await write(isDurable: false) { [self] db in
            let now = clock()
            // The plus keeps SQLite from walking through all ids instead of those that run.
            let orphans = try db.rows(
                """
                SELECT \(JobRows.columns) FROM jobs
                WHERE state = 'running' AND CASE WHEN lease_until IS NOT NULL THEN lease_until <= ? ELSE
                    NOT EXISTS (SELECT 1 FROM workers w WHERE w.worker = jobs.worker AND w.beat_at >= ?) END
                ORDER BY +id LIMIT ?
                """,
                [now.microseconds, (now - age).microseconds, limit],
                JobRows.job
            )
            var (ready, poison): ([Job], [Job]) = ([], [])
            for orphan in orphans {
                guard let event = orphan.lease.map({ JobEvent.orphaned(lease: $0) }),
                    let job = JobRules.apply(event, to: orphan, at: now)
                else { throw LedgerError(.corrupt, "the running job \(orphan.id) has no lease") }
                if job.state.isFinal {
                    poison.append(orphan)
                } else {
                    try JobRows.update(job, db)
                    try JobHistory.note(event, on: orphan, at: now, db)
                    ready.append(job)
                }
            }
            // Long after nobody lists them any more; a worker that comes back makes itself a row.
            try db.run("DELETE FROM workers WHERE beat_at < ?", [(now - max(age * 10, .seconds(600))).microseconds])
            return (ready, poison)
        }
    }

    /// Makes waiting jobs due whose time has come.
    public func promote(limit: Int) async throws(LedgerError) -> [String: Int] {
        try await write(isDurable: false) { [self] db in
            let services = try db.rows(
                """
                UPDATE jobs SET run_after = NULL WHERE id IN (
                    SELECT id FROM jobs WHERE state = 'waiting' AND run_after IS NOT NULL AND run_after <= ?
                    ORDER BY run_after LIMIT ?)
                RETURNING service
                """,
                [clock().microseconds, limit]
            ) { try $0.some($0[0] as String?) }
            return Dictionary(services.map { ($0, 1) }, uniquingKeysWith: +)
        }
    }

    /// What time asks to be settled.
    public func overdue(
        apps: [String]?,
        limit: Int
    ) async throws(LedgerError) -> (jobs: [Settlement], tasks: [TaskSettlement]) {
        let now = clock().microseconds
        return try await read { db in
            let names = apps ?? []
            let marks = databaseQuestionMarks(count: names.count)
            let deadlines = try db.rows(
                """
                SELECT id FROM jobs WHERE task IS NULL AND deadline IS NOT NULL AND finished_at IS NULL AND deadline <= ?
                ORDER BY deadline LIMIT ?
                """,
                [now, limit]
            ) { Settlement(job: try $0.some(try $0.meshID(0)), event: .deadlinePassed) }
            // A job past its deadline needs no other verdict.
            let attempts = try db.rows(
                """
                SELECT id FROM jobs WHERE state = 'running' AND started_at + timeout <= ?
                    AND (task IS NULL AND (deadline IS NULL OR deadline > ?) OR app IN (\(marks)))
                ORDER BY started_at + timeout LIMIT ?
                """,
                StatementArguments([now, now] + names + [limit])
            ) { Settlement(job: try $0.some(try $0.meshID(0)), event: .attemptTimedOut) }
            let tasks = try db.rows(
                "SELECT id FROM tasks WHERE state = 'running' AND deadline <= ? AND app IN (\(marks)) ORDER BY deadline LIMIT ?",
                StatementArguments([now] + names + [limit])
            ) { TaskSettlement(task: try $0.some(try $0.meshID(0)), event: .deadlinePassed) }
            return (Array((deadlines + attempts).prefix(limit)), tasks)
        }
    }

    /// Sets waiting jobs aside.
    public func postpone(_ jobs: [JobID], by delay: Duration) async throws(LedgerError) {
        guard !jobs.isEmpty else { return }
        try await write(isDurable: false) { [self] db in
            let moment = clock() + delay
            for job in jobs {
                try db.run(
                    "UPDATE jobs SET run_after = ? WHERE id = ? AND state = 'waiting'",
                    [moment.microseconds, job.blob]
                )
            }
        }
    }

    /// What waits and runs.
    public func loads(of services: [String]) async throws(LedgerError) -> [ServiceLoad] {
        guard !services.isEmpty else { return [] }
        return try await read { db in
            try services.map { service in
                func count(_ condition: String) throws -> Int {
                    try db.first("SELECT count(*) FROM jobs WHERE service = ? AND \(condition)", [service]) {
                        try $0.some($0[0] as Int?)
                    } ?? 0
                }
                return ServiceLoad(
                    service: service,
                    waiting: try count("state = 'waiting'"),
                    due: try count("state = 'waiting' AND run_after IS NULL"),
                    running: try count("state = 'running'")
                )
            }
        }
    }

    /// What was created since.
    public func created(of services: [String], since moment: Timestamp) async throws(LedgerError) -> [String: Int] {
        guard !services.isEmpty else { return [:] }
        return try await read { db in
            let counts = try db.rows(
                "SELECT service, count(*) FROM jobs WHERE id >= ? GROUP BY service",
                [MeshID.first(at: moment).blob]
            ) { (service: try $0.some($0[0] as String?), count: try $0.some($0[1] as Int?)) }
            return counts.reduce(into: [:]) { found, entry in
                if services.contains(entry.service) { found[entry.service] = entry.count }
            }
        }
    }
}
