// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Plumbing
public import Workflow

extension PostgresLedger {
    /// Requeues the jobs of dead workers in one statement.
    public func reap(olderThan age: Duration, limit: Int) async throws(LedgerError) -> (ready: [Job], poison: [Job]) {
        let call = PostgresCall(
            Self.reap,
            [age.postgresMicroseconds, Int64(limit), Int32(JobRules.poisonOrphanings)]
        )
        let bury = PostgresCall(Self.forgetWorkers, [age.postgresMicroseconds])
        let rows = try await retryingConflicts { () async throws(LedgerError) in
            try await run([call, bury], on: quick)
        }
        var (ready, poison): ([Job], [Job]) = ([], [])
        for (isReady, job) in try rows[0].map({ row throws(LedgerError) in
            (try row.bool(), try PostgresJobColumns.read(&row))
        }) {
            if isReady { ready.append(job) } else { poison.append(job) }
        }
        return (ready, poison)
    }

    /// Makes jobs due whose time has come.
    public func promote(limit: Int) async throws(LedgerError) -> [String: Int] {
        let rows = try await retryingConflicts { () async throws(LedgerError) in
            try await run(PostgresCall(Self.promote, [Int64(limit)]), on: quick)
        }
        return Dictionary(
            try rows.map { row throws(LedgerError) in (try row.text(), try row.int()) },
            uniquingKeysWith: +
        )
    }

    /// What time asks to be settled; direct jobs are always looked at.
    public func overdue(
        apps: [String]?,
        limit: Int
    ) async throws(LedgerError) -> (jobs: [Settlement], tasks: [TaskSettlement]) {
        let apps = PostgresList(apps ?? [])
        let rows = try await run(
            [
                PostgresCall(Self.expiredJobs, [Int64(limit)]),
                PostgresCall(Self.longAttempts, [apps, Int64(limit)]),
                PostgresCall(Self.expiredTasks, [apps, Int64(limit)]),
            ],
            on: durable
        )
        guard rows.count == 3 else { throw LedgerError(.corrupt, "a read without an answer") }
        let expired = try rows[0].map { row throws(LedgerError) in try row.id() }
        let known = Set(expired)
        let late = try rows[1].map { row throws(LedgerError) in try row.id() }.filter { !known.contains($0) }
        let jobs =
            expired.map { Settlement(job: $0, event: .deadlinePassed) }
            + late.map { Settlement(job: $0, event: .attemptTimedOut) }
        let tasks = try rows[2].map { row throws(LedgerError) in
            TaskSettlement(task: try row.id(), event: .deadlinePassed)
        }
        return (Array(jobs.prefix(limit)), tasks)
    }

    /// Sets waiting jobs aside.
    public func postpone(_ jobs: [JobID], by delay: Duration) async throws(LedgerError) {
        guard !jobs.isEmpty else { return }
        let call = PostgresCall(Self.postpone, [PostgresList(jobs), delay.postgresMicroseconds])
        try await retryingConflicts { () async throws(LedgerError) in _ = try await run(call, on: quick) }
    }

    /// What waits and runs, counted in one statement over the partial indexes.
    public func loads(of services: [String]) async throws(LedgerError) -> [ServiceLoad] {
        guard !services.isEmpty else { return [] }
        let rows = try await run(PostgresCall(Self.loads, [PostgresList(services)]), on: durable)
        return try rows.map { row throws(LedgerError) in
            let service = try row.text()
            let (due, later, ripe, running) = (try row.int(), try row.int(), try row.int(), try row.int())
            return ServiceLoad(service: service, waiting: due + later, due: due + ripe, running: running)
        }
    }

    /// What was created since, counted over the end of the primary key.
    public func created(of services: [String], since moment: Timestamp) async throws(LedgerError) -> [String: Int] {
        guard !services.isEmpty else { return [:] }
        let call = PostgresCall(Self.created, [PostgresList(services), MeshID.first(at: moment)])
        let counts = try await run(call, on: durable).map { row throws(LedgerError) in
            (try row.text(), try row.int())
        }
        return Dictionary(uniqueKeysWithValues: counts)
    }

    /// Deletes what ended before `moment` and rolls it up into the numbers, all in one statement.
    public func sweep(finishedBefore moment: Timestamp, limit: Int) async throws(LedgerError) -> Int {
        let call = PostgresCall(Self.sweep, [moment, Int64(limit)])
        return try await retryingConflicts { () async throws(LedgerError) in
            try await run(call, on: quick).map { row throws(LedgerError) in try row.int() }.first ?? 0
        }
    }

    // MARK: Statements

    /// The workers that hold jobs, each found by one look into `jobs_running`.
    private static let holders = """
        holders AS (
            (SELECT worker FROM jobs WHERE state = 1 ORDER BY worker LIMIT 1)
            UNION ALL
            SELECT (SELECT worker FROM jobs WHERE state = 1 AND worker > h.worker ORDER BY worker LIMIT 1)
            FROM holders h WHERE h.worker IS NOT NULL
        )
        """

    /// Goes by the workers that hold jobs, and by the leases that have ended.
    ///
    /// The jobs of living workers, thousands of them, are not looked at. Nothing goes in the order of ids: where many jobs
    /// ran when the statistics were made, the planner would walk all jobs there are for the first few.
    static let reap = PostgresStatement(
        "reap",
        """
        WITH RECURSIVE \(holders), dead AS MATERIALIZED (
            SELECT h.worker FROM holders h LEFT JOIN workers w ON w.worker = h.worker WHERE h.worker IS NOT NULL
                AND (w.worker IS NULL OR w.beat_at < statement_timestamp() - $1::bigint * interval '1 microsecond')
        ), left_alone AS (
            SELECT j.id, j.orphaned FROM dead CROSS JOIN LATERAL (
                SELECT id, orphaned FROM jobs WHERE state = 1 AND worker = dead.worker AND lease_until IS NULL
                ORDER BY lease LIMIT $2::bigint FOR UPDATE SKIP LOCKED
            ) j LIMIT $2::bigint
        ), ended AS (
            SELECT id, orphaned FROM jobs WHERE state = 1 AND lease_until <= statement_timestamp()
            ORDER BY lease_until LIMIT $2::bigint FOR UPDATE SKIP LOCKED
        ), lost AS (
            SELECT * FROM left_alone UNION ALL SELECT * FROM ended LIMIT $2::bigint
        ), ready AS (
            UPDATE jobs j SET state = 0, lease = NULL, worker = NULL, started_at = NULL, lease_until = NULL,
                orphaned = j.orphaned + 1, history = \(StoredAttempt.appendPresent(outcome: "'worker_lost'"))
            FROM lost WHERE j.id = lost.id AND lost.orphaned + 1 < $3::int RETURNING \(PostgresJobColumns.list("j."))
        )
        SELECT true, \(PostgresJobColumns.list()) FROM ready
        UNION ALL
        SELECT false, \(PostgresJobColumns.list("j.")) FROM lost JOIN jobs j ON j.id = lost.id
        WHERE lost.orphaned + 1 >= $3::int
        """
    )

    /// A row stays for a hundred times the age at which its worker counts as dead, for people to see.
    private static let forgetWorkers = PostgresStatement(
        "forget_workers",
        """
        DELETE FROM workers WHERE beat_at < statement_timestamp() - $1::bigint * interval '100 microseconds'
        """
    )

    static let promote = PostgresStatement(
        "promote",
        """
        WITH ripe AS (
            SELECT id FROM jobs WHERE state = 0 AND run_after <= statement_timestamp()
            ORDER BY run_after LIMIT $1::bigint FOR UPDATE SKIP LOCKED
        ), due AS (UPDATE jobs j SET run_after = NULL FROM ripe WHERE j.id = ripe.id RETURNING j.service)
        SELECT service, count(*) FROM due GROUP BY service
        """
    )

    static let expiredJobs = PostgresStatement(
        "expired_jobs",
        """
        SELECT id FROM jobs WHERE task_id IS NULL AND state < 2 AND deadline <= statement_timestamp()
        ORDER BY deadline LIMIT $1::bigint
        """
    )

    /// By workers, or the plan may walk all jobs of all services.
    static let longAttempts = PostgresStatement(
        "long_attempts",
        """
        WITH RECURSIVE \(holders)
        SELECT j.id FROM holders CROSS JOIN LATERAL (
            SELECT id FROM jobs WHERE state = 1 AND worker = holders.worker
                AND started_at + timeout * interval '1 microsecond' <= statement_timestamp()
                AND (task_id IS NULL OR app = ANY($1::text[]))
            ORDER BY lease LIMIT $2::bigint
        ) j LIMIT $2::bigint
        """
    )

    private static let expiredTasks = PostgresStatement(
        "expired_tasks",
        """
        SELECT id FROM tasks WHERE state = 1 AND deadline <= statement_timestamp() AND app = ANY($1::text[])
        ORDER BY deadline LIMIT $2::bigint
        """
    )

    static let postpone = PostgresStatement(
        "postpone",
        """
        WITH mine AS (
            SELECT id FROM jobs WHERE id = ANY($1::uuid[]) AND state = 0 ORDER BY id FOR UPDATE SKIP LOCKED
        )
        UPDATE jobs j SET run_after =
            greatest(j.run_after, statement_timestamp() + $2::bigint * interval '1 microsecond')
        FROM mine WHERE j.id = mine.id
        """
    )

    static let loads = PostgresStatement(
        "loads",
        """
        SELECT s.service,
            (SELECT count(*) FROM jobs WHERE service = s.service AND state = 0 AND run_after IS NULL),
            coalesce(l.later, 0), coalesce(l.ripe, 0),
            (SELECT count(*) FROM jobs WHERE service = s.service AND state = 1)
        FROM unnest($1::text[]) WITH ORDINALITY AS s(service, n)
        LEFT JOIN (
            SELECT service, count(*) AS later, count(*) FILTER (WHERE run_after <= statement_timestamp()) AS ripe
            FROM jobs WHERE state = 0 AND run_after IS NOT NULL GROUP BY service
        ) l ON l.service = s.service
        ORDER BY s.n
        """
    )

    /// The upper bound is for the planner, which takes a third of all jobs to be after an unknown id.
    static let created = PostgresStatement(
        "created",
        """
        SELECT service, count(*) FROM jobs
        WHERE id BETWEEN $2::uuid AND 'ffffffff-ffff-ffff-ffff-ffffffffffff' AND service = ANY($1::text[])
        GROUP BY service
        """
    )

    /// `c.state < 1` means pending, but does not invite to walk all that is pending.
    private static let sweep = PostgresStatement(
        "sweep",
        """
        WITH old AS (
            SELECT id, app, user_id, method, state, (created_at AT TIME ZONE 'UTC')::date AS day FROM tasks
            WHERE finished_at < $1::timestamptz
                AND NOT EXISTS (SELECT FROM callbacks c WHERE c.task_id = tasks.id AND c.state < 1)
            ORDER BY finished_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED
        ), direct AS (
            SELECT id FROM jobs WHERE task_id IS NULL AND finished_at < $1::timestamptz
                AND NOT EXISTS (SELECT FROM callbacks c WHERE c.task_id = jobs.id AND c.state < 1)
            ORDER BY finished_at LIMIT (SELECT greatest(0, $2::bigint - count(*)) FROM old) FOR UPDATE SKIP LOCKED
        ), told AS (
            SELECT id FROM old UNION ALL SELECT id FROM direct
        ), rolled AS (
            INSERT INTO user_numbers AS n (app, user_id, method, day, succeeded, failed, cancelled, timed_out)
            SELECT app, user_id, method, day, count(*) FILTER (WHERE state = 2), count(*) FILTER (WHERE state = 3),
                count(*) FILTER (WHERE state = 4), count(*) FILTER (WHERE state = 5)
            FROM old GROUP BY app, user_id, method, day ORDER BY app, user_id, method, day
            ON CONFLICT (app, user_id, method, day) DO UPDATE SET succeeded = n.succeeded + excluded.succeeded,
                failed = n.failed + excluded.failed, cancelled = n.cancelled + excluded.cancelled,
                timed_out = n.timed_out + excluded.timed_out
        ), gone_attempts AS (
            DELETE FROM callback_attempts a USING told, callbacks c WHERE c.task_id = told.id AND a.callback_id = c.id
        ), gone_callbacks AS (
            DELETE FROM callbacks c USING told WHERE c.task_id = told.id
        ), gone_jobs AS (
            DELETE FROM jobs j USING old WHERE j.task_id = old.id
        ), gone_runs AS (
            DELETE FROM runs r USING old WHERE r.task_id = old.id
        ), gone_tasks AS (
            DELETE FROM tasks t USING old WHERE t.id = old.id RETURNING 1
        ), gone_direct AS (
            DELETE FROM jobs j USING direct d WHERE j.id = d.id RETURNING 1
        )
        SELECT (SELECT count(*) FROM gone_tasks) + (SELECT count(*) FROM gone_direct)
        """
    )
}
