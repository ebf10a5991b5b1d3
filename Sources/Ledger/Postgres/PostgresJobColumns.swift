// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// How jobs are written to and read from the table `jobs`.
enum PostgresJobColumns {
    /// What every job has.
    private static let own: [(name: String, type: String)] = [
        ("id", "uuid"), ("task_id", "uuid"), ("app", "text"), ("stage", "int"), ("item", "int"), ("service", "text"),
        ("state", "smallint"), ("lease", "uuid"), ("worker", "text"), ("attempt", "int"), ("failures", "int"),
        ("deaths", "int"), ("orphaned", "int"), ("max_attempts", "int"), ("backoff_base", "bigint"),
        ("backoff_cap", "bigint"), ("backoff_jitter", "float8"), ("timeout", "bigint"), ("deadline", "timestamptz"),
        ("run_after", "timestamptz"), ("rank", "bigint"), ("created_at", "timestamptz"),
        ("started_at", "timestamptz"), ("finished_at", "timestamptz"), ("error", "bytea"), ("trace", "text"),
    ]

    /// What an insert of a task's jobs writes.
    static let inserted = own + [("input", "bytea")]

    /// What an insert of direct jobs writes after `inserted`.
    static let labelled: [(name: String, type: String)] = [
        ("labels", "bytea"), ("owner_service", "text"), ("owner_ref", "text"), ("task_type", "text"),
        ("model_profile", "text"), ("user_id", "text"), ("dedup", "bytea"), ("error_category", "text"),
    ]

    /// The columns of a job with commas, each with a prefix such as `j.`.
    static func list(_ prefix: String = "") -> String {
        PostgresStatement.names(own + [("labels", "bytea"), ("lease_until", "timestamptz")], prefix: prefix)
    }

    /// One list per column of `inserted`.
    static func parameters(_ records: [JobRecord]) throws(LedgerError) -> [any PostgresParameter] {
        var errors: [[UInt8]?] = []
        for record in records { errors.append(try record.job.error?.stored) }
        let jobs = records.map(\.job)
        return [
            PostgresList(jobs.map(\.id)), PostgresList(optional: jobs.map(\.task)),
            PostgresList(optional: jobs.map(\.app)),
            PostgresList(optional: jobs.map { $0.stage.map { Int32(clamping: $0) } }),
            PostgresList(optional: jobs.map { $0.item.map { Int32(clamping: $0) } }),
            PostgresList(jobs.map(\.service)), PostgresList(jobs.map(\.state.code)),
            PostgresList(optional: jobs.map(\.lease)), PostgresList(optional: jobs.map(\.worker)),
            PostgresList(jobs.map { Int32(clamping: $0.attempt) }),
            PostgresList(jobs.map { Int32(clamping: $0.failures) }),
            PostgresList(jobs.map { Int32(clamping: $0.deaths) }),
            PostgresList(jobs.map { Int32(clamping: $0.orphaned) }),
            PostgresList(jobs.map { Int32(clamping: $0.maxAttempts) }),
            PostgresList(jobs.map(\.backoff.base.postgresMicroseconds)),
            PostgresList(jobs.map(\.backoff.cap.postgresMicroseconds)), PostgresList(jobs.map(\.backoff.jitter)),
            PostgresList(jobs.map(\.timeout.postgresMicroseconds)), PostgresList(optional: jobs.map(\.deadline)),
            PostgresList(optional: jobs.map(\.runAfter)), PostgresList(jobs.map(\.rank)),
            PostgresList(jobs.map(\.createdAt)), PostgresList(optional: jobs.map(\.startedAt)),
            PostgresList(optional: jobs.map(\.finishedAt)), PostgresList(optional: errors),
            PostgresList(optional: jobs.map(\.trace)), PostgresList(records.map(\.input)),
        ]
    }

    /// One list per column of `labelled`.
    static func labelParameters(_ records: [JobRecord]) -> [any PostgresParameter] {
        let labels = records.map(\.job.labels)
        return [
            PostgresList(optional: labels.map { $0?.json.bytes }),
            PostgresList(optional: labels.map { $0?.ownerService }),
            PostgresList(optional: labels.map { $0?.ownerRef }), PostgresList(optional: labels.map { $0?.taskType }),
            PostgresList(optional: labels.map { $0?.modelProfile }), PostgresList(optional: labels.map { $0?.user }),
            PostgresList(optional: labels.map { $0.flatMap(dedup) }),
            PostgresList(optional: records.map { $0.job.error?.category.rawValue }),
        ]
    }

    /// What the digest in `dedup` is of: no UTF-8 text holds the byte between owner and key.
    static func dedup(_ labels: JobLabels) -> [UInt8]? {
        labels.dedupKey.map { Array((labels.ownerService ?? "").utf8) + [0xFF] + Array($0.utf8) }
    }

    /// Reads the columns of `list`.
    static func read(_ row: inout PostgresRow) throws(LedgerError) -> Job {
        let (id, task, app) = (try row.id(), try row.idIfAny(), try row.textIfAny())
        let (stage, item, service) = (try row.intIfAny(), try row.intIfAny(), try row.text())
        var job = Job(
            id: id,
            task: task,
            app: app,
            stage: stage,
            item: item,
            service: service,
            createdAt: Timestamp(microseconds: 0)
        )
        job.state = try JobState(postgres: try row.int())
        job.lease = try row.idIfAny()
        job.worker = try row.textIfAny()
        job.attempt = try row.int()
        job.failures = try row.int()
        job.deaths = try row.int()
        job.orphaned = try row.int()
        job.maxAttempts = try row.int()
        let (base, cap) = (try row.duration(), try row.duration())
        job.backoff = Backoff(base: base, cap: cap, jitter: try row.double())
        job.timeout = try row.duration()
        job.deadline = try row.momentIfAny()
        job.runAfter = try row.momentIfAny()
        job.rank = Int64(try row.int())
        job.createdAt = try row.moment()
        job.startedAt = try row.momentIfAny()
        job.finishedAt = try row.momentIfAny()
        if let error = try row.bytesIfAny() { job.error = try JobError(stored: error) }
        job.trace = try row.textIfAny()
        if let labels = try row.bytesIfAny() { job.labels = try readLabels(labels) }
        job.leaseUntil = try row.momentIfAny()
        return job
    }

    private static func readLabels(_ bytes: [UInt8]) throws(LedgerError) -> JobLabels {
        do {
            return JobLabels(json: try JSON(parsing: bytes))
        } catch {
            throw LedgerError(.corrupt, "stored bytes are not labels: \(error)")
        }
    }

    /// Reads the columns of `list`, then input, result and usage.
    static func readRecord(_ row: inout PostgresRow) throws(LedgerError) -> JobRecord {
        let job = try read(&row)
        return JobRecord(job: job, input: try row.bytes(), result: try row.bytesIfAny(), usage: try row.bytesIfAny())
    }
}
