// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The statements of a settling transaction.
extension PostgresLedger {
    static let clock = PostgresStatement("clock", "SELECT clock_timestamp()")

    private static let concerned = """
        (SELECT task_id FROM jobs WHERE id = ANY($1::uuid[]) AND task_id IS NOT NULL UNION SELECT unnest($2::uuid[]))
        """

    /// Only locks: what a lock had to wait for is read by the next statement, which sees it.
    static let lockRuns = PostgresStatement(
        "lock_runs",
        "SELECT task_id FROM runs WHERE task_id IN \(concerned) ORDER BY task_id FOR UPDATE"
    )

    static let lockJobs = PostgresStatement(
        "lock_jobs",
        "SELECT \(PostgresJobColumns.list()) FROM jobs WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
    )

    static let readRuns = PostgresStatement(
        "read_runs",
        """
        SELECT \(PostgresStatement.names(PostgresTaskColumns.all, prefix: "t.")), r.stages
        FROM \(concerned) AS c(task_id) JOIN runs r ON r.task_id = c.task_id JOIN tasks t ON t.id = c.task_id
        """
    )

    static let readDefinitions = PostgresStatement(
        "read_definitions",
        "SELECT hash, stored FROM definitions WHERE hash = ANY($1::text[])"
    )

    /// The size of each output's results, and its jobs unless that is more than `$3`; the sizes are known without
    /// reading the results.
    ///
    /// Cancelled items count as null, so they are not read.
    static let readOutputs = PostgresStatement(
        "read_outputs",
        """
        SELECT u.n, s.bytes, j.state, j.item, j.result, j.error
        FROM unnest($1::uuid[], $2::int[]) WITH ORDINALITY AS u(task_id, stage, n)
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(octet_length(result)), 0)::bigint AS bytes FROM jobs
            WHERE task_id = u.task_id AND stage = u.stage AND state = 2
        ) s
        LEFT JOIN jobs j
            ON j.task_id = u.task_id AND j.stage = u.stage AND j.state IN (2, 3, 5) AND s.bytes <= $3::bigint
        """
    )

    private static let updated: [(name: String, type: String)] = [
        ("id", "uuid"), ("state", "smallint"), ("lease", "uuid"), ("worker", "text"), ("failures", "int"),
        ("deaths", "int"), ("orphaned", "int"), ("run_after", "timestamptz"), ("started_at", "timestamptz"),
        ("finished_at", "timestamptz"), ("error", "bytea"), ("result", "bytea"), ("usage", "bytea"),
    ]

    /// What only an end without success, or a new beginning, may change.
    private static let troubled: [(name: String, type: String)] = [
        ("deadline", "timestamptz"), ("error_category", "text"), ("ended", "bytea"),
    ]

    private static func update(
        _ name: String,
        _ columns: [(name: String, type: String)],
        _ sets: String
    ) -> PostgresStatement {
        PostgresStatement(
            name,
            """
            UPDATE jobs j SET state = u.state, lease = u.lease, worker = u.worker, lease_until = NULL,
                failures = u.failures, deaths = u.deaths, orphaned = u.orphaned, run_after = u.run_after,
                started_at = u.started_at, finished_at = u.finished_at, error = u.error, result = u.result,
                usage = coalesce(u.usage, j.usage), \(sets)
            FROM \(PostgresStatement.unnest(columns)) WHERE j.id = u.id
            """
        )
    }

    /// For jobs that all succeeded: the usual case writes no history.
    static let updateSucceeded = update("update_succeeded", updated, "error_category = NULL")

    static let updateJobs = update(
        "update_jobs",
        updated + troubled,
        """
        deadline = u.deadline, error_category = u.error_category,
        history = CASE WHEN u.ended IS NULL THEN j.history ELSE \(StoredAttempt.append("u.ended")) END
        """
    )

    /// Completes jobs and advances their runs without having locked and read them, if all are as they were.
    ///
    /// Otherwise the cast fails as "invalid text representation", and with it the transaction: a statement of several
    /// parts has no other way to undo itself. The server's log then says what happened. (`state + 0`: or the plan walks
    /// all running jobs, as there were none when it was made.)
    static let advance = PostgresStatement(
        "advance",
        """
        WITH run AS (
            UPDATE runs r SET state = u.state, stages = u.stages
            FROM unnest($1::uuid[], $2::smallint[], $3::bytea[], $4::bytea[]) AS u(task_id, state, stages, before)
            WHERE r.task_id = u.task_id AND r.stages = u.before RETURNING 1
        ), job AS (
            UPDATE jobs j SET state = 2, lease_until = NULL, run_after = NULL, error = NULL, error_category = NULL,
                finished_at = clock_timestamp(), result = u.result, usage = coalesce(u.usage, j.usage)
            FROM unnest($5::uuid[], $6::uuid[], $7::bytea[], $8::bytea[]) AS u(id, lease, result, usage)
            WHERE j.id = u.id AND j.state + 0 = 1 AND j.lease = u.lease RETURNING 1
        ), done AS (
            SELECT (SELECT count(*) FROM run) AS runs, (SELECT count(*) FROM job) AS jobs
        )
        SELECT CASE WHEN runs = cardinality($1::uuid[]) AND jobs = cardinality($5::uuid[]) THEN 0
            ELSE (format('only %s runs and %s jobs are as they were: they will be read', runs, jobs))::int END
        FROM done
        """,
        race: "22P02"
    )

    /// The inputs of direct jobs whose callers are told of their ends.
    static let readInputs = PostgresStatement("read_inputs", "SELECT id, input FROM jobs WHERE id = ANY($1::uuid[])")

    /// These jobs have not been locked: they may have been claimed since the transaction read the clock, so they end now.
    private static func cancel(_ name: String, _ filter: String) -> PostgresStatement {
        let outcome = "CASE $3::smallint WHEN 5 THEN 'timed_out' ELSE 'cancelled' END"
        return PostgresStatement(
            name,
            """
            UPDATE jobs j SET state = $3::smallint, run_after = NULL, lease_until = NULL,
                finished_at = clock_timestamp(), error = $2::bytea,
                error_category = CASE $3::smallint WHEN 5 THEN 'timeout' ELSE 'cancelled' END,
                history = CASE WHEN j.state = 1 THEN \(StoredAttempt.appendPresent(outcome: outcome))
                    ELSE j.history END
            WHERE j.task_id = $1::uuid AND j.state IN (0, 1)\(filter) RETURNING \(PostgresJobColumns.list("j."))
            """
        )
    }

    static let cancelTask = cancel("cancel_task", "")
    static let cancelStage = cancel("cancel_stage", " AND j.stage = $4::int")

    static let updateRuns = PostgresStatement(
        "update_runs",
        """
        UPDATE runs r SET state = u.state, stages = u.stages
        FROM \(PostgresStatement.unnest(runColumns)) WHERE r.task_id = u.task_id
        """
    )

    private static let finished: [(name: String, type: String)] = [
        ("id", "uuid"), ("state", "smallint"), ("finished_at", "timestamptz"), ("output", "bytea"), ("error", "bytea"),
        ("failed_stage", "text"),
    ]

    static let finishTasks = PostgresStatement(
        "finish_tasks",
        """
        UPDATE tasks t SET state = u.state, finished_at = u.finished_at, output = u.output, error = u.error,
            failed_stage = u.failed_stage
        FROM \(PostgresStatement.unnest(finished)) WHERE t.id = u.id
        """
    )

    static let insertCallbacks = PostgresStatement(
        "insert_callbacks",
        """
        INSERT INTO callbacks (\(PostgresStatement.names(PostgresCallbackColumns.all)))
        SELECT \(PostgresStatement.names(PostgresCallbackColumns.all))
        FROM \(PostgresStatement.unnest(PostgresCallbackColumns.all))
        """
    )
}
