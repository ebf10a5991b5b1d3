// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
import Ledger
import Plumbing
import Workflow

/// The rows of `jobs`.
enum JobRows {
    /// Everything but the payloads, in the order of ``job(_:)``.
    static let columns = """
        id, task, app, stage, item, service, state, lease, worker, attempt, failures, deaths, orphaned, max_attempts,
        backoff_base, backoff_cap, backoff_jitter, timeout, deadline, run_after, rank, created_at, started_at,
        finished_at, error, trace, labels, lease_until
        """
    /// Everything, in the order of ``record(_:)``.
    static let allColumns = columns + ", input, result, usage"

    /// What only filters read.
    private static let searchColumns = "owner_service, owner_ref, task_type, model_profile, user, dedup_key"
    private static let insertion = """
        INSERT INTO jobs (\(allColumns), \(searchColumns), error_category)
        VALUES (\(Array(repeating: "?", count: 38).joined(separator: ",")))
        """
    private static let change = """
        state = ?, lease = ?, worker = ?, attempt = ?, failures = ?, deaths = ?, orphaned = ?, run_after = ?,
        started_at = ?, finished_at = ?, error = ?, error_category = ?, lease_until = ?, deadline = ?
        """

    static func job(_ row: Row) throws -> Job {
        let backoff = Backoff(
            base: .microseconds(try row.some(row[14] as Int64?)),
            cap: .microseconds(try row.some(row[15] as Int64?)),
            jitter: try row.some(row[16] as Double?)
        )
        var job = Job(
            id: try row.some(try row.meshID(0)),
            task: try row.meshID(1),
            app: row[2],
            stage: row[3],
            item: row[4],
            service: try row.some(row[5] as String?),
            maxAttempts: try row.some(row[13] as Int?),
            backoff: backoff,
            timeout: .microseconds(try row.some(row[17] as Int64?)),
            deadline: row.moment(18),
            runAfter: row.moment(19),
            rank: row[20],
            createdAt: try row.some(row.moment(21)),
            trace: row[25],
            labels: try row.labels(26)
        )
        job.state = try row.some((row[6] as String?).flatMap(JobState.init(rawValue:)))
        job.lease = try row.meshID(7)
        job.worker = row[8]
        job.attempt = try row.some(row[9] as Int?)
        job.failures = try row.some(row[10] as Int?)
        job.deaths = try row.some(row[11] as Int?)
        job.orphaned = try row.some(row[12] as Int?)
        job.startedAt = row.moment(22)
        job.finishedAt = row.moment(23)
        job.error = try row.jobError(24)
        job.leaseUntil = row.moment(27)
        return job
    }

    static func record(_ row: Row) throws -> JobRecord {
        JobRecord(
            job: try job(row),
            input: try row.bytes(28) ?? [],
            result: try row.bytes(29),
            usage: try row.bytes(30)
        )
    }

    static func find(_ id: JobID, _ db: Database) throws -> Job? {
        try db.first("SELECT \(columns) FROM jobs WHERE id = ?", [id.blob], job)
    }

    /// Inserts a job.
    ///
    /// - Parameter user: whose it is when it belongs to a task, as ``user(of:)`` says; a direct job's labels tell.
    static func insert(_ record: JobRecord, user: String? = nil, _ db: Database) throws {
        let (job, labels) = (record.job, record.job.labels)
        var values: [(any DatabaseValueConvertible)?] = [
            job.id.blob, job.task?.blob, job.app, job.stage, job.item, job.service, job.state.rawValue,
            job.lease?.blob, job.worker, job.attempt, job.failures, job.deaths, job.orphaned, job.maxAttempts,
        ]
        values += [
            job.backoff.base.wholeMicroseconds, job.backoff.cap.wholeMicroseconds, job.backoff.jitter,
            job.timeout.wholeMicroseconds, job.deadline?.microseconds, job.runAfter?.microseconds, job.rank,
            job.createdAt.microseconds, job.startedAt?.microseconds, job.finishedAt?.microseconds,
        ]
        values += [job.error?.blob, job.trace, labels.map { $0.json.bytes.blob }, job.leaseUntil?.microseconds]
        values += [record.input.blob, record.result?.blob, record.usage?.blob]
        values += [labels?.ownerService, labels?.ownerRef, labels?.taskType, labels?.modelProfile]
        values += [user ?? labels?.user, labels?.dedupKey, job.error?.category.rawValue]
        try db.run(insertion, StatementArguments(values))
    }

    /// Writes what an event may change, and with `result` or `usage` those as well.
    static func update(_ job: Job, result: [UInt8]? = nil, usage: [UInt8]? = nil, _ db: Database) throws {
        var values: [(any DatabaseValueConvertible)?] = [
            job.state.rawValue, job.lease?.blob, job.worker, job.attempt, job.failures, job.deaths, job.orphaned,
            job.runAfter?.microseconds, job.startedAt?.microseconds, job.finishedAt?.microseconds, job.error?.blob,
            job.error?.category.rawValue, job.leaseUntil?.microseconds, job.deadline?.microseconds,
        ]
        guard result != nil || usage != nil else {
            values.append(job.id.blob)
            return try db.run("UPDATE jobs SET \(change) WHERE id = ?", StatementArguments(values))
        }
        values += [result?.blob, usage?.blob, job.id.blob]
        try db.run("UPDATE jobs SET \(change), result = ?, usage = ? WHERE id = ?", StatementArguments(values))
    }

    /// Completes a job that was not read, if it runs under the update's lease.
    ///
    /// - Throws: ``LedgerError`` of code `conflict` if not.
    static func complete(_ update: SettleWrites.JobUpdate, _ db: Database) throws {
        let job = update.job
        try db.run(
            """
            UPDATE jobs SET state = 'succeeded', lease_until = NULL, run_after = NULL, error = NULL,
                error_category = NULL, finished_at = ?, result = ?, usage = coalesce(?, usage)
            WHERE id = ? AND state = 'running' AND lease = ?
            """,
            [
                job.finishedAt?.microseconds, update.result?.blob, update.usage?.blob, job.id.blob, job.lease?.blob,
            ]
        )
        guard db.changesCount == 1 else { throw LedgerError(.conflict, "job \(job.id) is not as it was") }
    }

    /// The user of a task's jobs.
    static func user(of task: TaskRecord) -> String { "\(task.app)/\(task.user)" }

    /// The job that an owner's dedup key stands for.
    static func find(dedupKey: String, owner: String?, _ db: Database) throws -> JobID? {
        try db.first("SELECT id FROM jobs WHERE dedup_key = ? AND owner_service IS ?", [dedupKey, owner]) {
            try $0.some(try $0.meshID(0))
        }
    }
}
