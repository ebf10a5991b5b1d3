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
        finished_at, error, trace
        """
    /// Everything, in the order of ``record(_:)``.
    static let allColumns = columns + ", input, result, usage"

    private static let insertion =
        "INSERT INTO jobs (\(allColumns)) VALUES (\(Array(repeating: "?", count: 29).joined(separator: ",")))"
    private static let change = """
        state = ?, lease = ?, worker = ?, attempt = ?, failures = ?, deaths = ?, orphaned = ?, run_after = ?,
        started_at = ?, finished_at = ?, error = ?
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
            trace: row[25]
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
        return job
    }

    static func record(_ row: Row) throws -> JobRecord {
        JobRecord(job: try job(row), input: row.bytes(26) ?? [], result: row.bytes(27), usage: row.bytes(28))
    }

    static func find(_ id: JobID, _ db: Database) throws -> Job? {
        try db.first("SELECT \(columns) FROM jobs WHERE id = ?", [id.blob], job)
    }

    static func insert(_ record: JobRecord, _ db: Database) throws {
        let job = record.job
        var values: [(any DatabaseValueConvertible)?] = [
            job.id.blob, job.task?.blob, job.app, job.stage, job.item, job.service, job.state.rawValue,
            job.lease?.blob, job.worker, job.attempt, job.failures, job.deaths, job.orphaned, job.maxAttempts,
        ]
        values += [
            job.backoff.base.wholeMicroseconds, job.backoff.cap.wholeMicroseconds, job.backoff.jitter,
            job.timeout.wholeMicroseconds, job.deadline?.microseconds, job.runAfter?.microseconds, job.rank,
            job.createdAt.microseconds, job.startedAt?.microseconds, job.finishedAt?.microseconds,
        ]
        values += [job.error?.blob, job.trace, record.input.blob, record.result?.blob, record.usage?.blob]
        try db.run(insertion, StatementArguments(values))
    }

    /// Writes what an event may change, and with `result` or `usage` those as well.
    static func update(_ job: Job, result: [UInt8]? = nil, usage: [UInt8]? = nil, _ db: Database) throws {
        var values: [(any DatabaseValueConvertible)?] = [
            job.state.rawValue, job.lease?.blob, job.worker, job.attempt, job.failures, job.deaths, job.orphaned,
            job.runAfter?.microseconds, job.startedAt?.microseconds, job.finishedAt?.microseconds, job.error?.blob,
        ]
        guard result != nil || usage != nil else {
            values.append(job.id.blob)
            return try db.run("UPDATE jobs SET \(change) WHERE id = ?", StatementArguments(values))
        }
        values += [result?.blob, usage?.blob, job.id.blob]
        try db.run("UPDATE jobs SET \(change), result = ?, usage = ? WHERE id = ?", StatementArguments(values))
    }
}
