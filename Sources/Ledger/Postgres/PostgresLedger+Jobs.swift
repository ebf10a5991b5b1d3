// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Plumbing
public import Workflow

// What is told of jobs.
extension PostgresLedger {
    /// Jobs newest first.
    public func jobs(_ query: JobQuery) async throws(LedgerError) -> [Job] {
        guard query.limit > 0 else { return [] }
        var filter = PostgresJobFilter("list_jobs", [Int64(query.limit)])
        filter.add(query)
        let statement = PostgresStatement(
            filter.name,
            "SELECT \(PostgresJobColumns.list()) FROM jobs\(filter.text) ORDER BY id DESC LIMIT $1::bigint"
        )
        return try await run(PostgresCall(statement, filter.parameters), on: durable).map(PostgresJobColumns.read)
    }

    /// How many are claimed before a waiting job, counted along the index that claims walk.
    public func jobsAhead(of job: JobID, limit: Int) async throws(LedgerError) -> Int? {
        try await run(PostgresCall(Self.jobsAhead, [job, Int64(max(0, limit))]), on: durable)
            .map { row throws(LedgerError) in try row.int() }.first
    }

    /// How the latest jobs of a service fared.
    public func timings(ofService service: String, limit: Int) async throws(LedgerError) -> [JobTiming] {
        guard limit > 0 else { return [] }
        return try await run(PostgresCall(Self.timings, [service, Int64(limit)]), on: durable)
            .map { row throws(LedgerError) in JobTiming(run: try row.duration(), finishedAt: try row.moment()) }
    }

    /// The attempts of a job that did not succeed; the last 20 are kept.
    public func attempts(ofJob job: JobID) async throws(LedgerError) -> [AttemptRecord] {
        try await run(PostgresCall(Self.history, [job]), on: durable)
            .map { row throws(LedgerError) in try StoredAttempt.decode(try row.bytes()) }
    }

    /// What waits and runs for users: of direct jobs by an index, of tasks by a walk along those that are open.
    public func loads(ofUsers users: [String]) async throws(LedgerError) -> [UserLoad] {
        guard !users.isEmpty else { return [] }
        var calls = [PostgresCall(Self.directLoads, [PostgresList(users)])]
        // Only a task's user has a slash; the walk is spared where no app is meant.
        let ofApps = users.map { $0.contains("/") ? $0 : nil }
        if ofApps.contains(where: { $0 != nil }) {
            calls.append(PostgresCall(Self.taskLoads, [PostgresList(optional: ofApps)]))
        }
        var loads = users.map { UserLoad(user: $0) }
        for rows in try await run(calls, on: durable) {
            let counts = try rows.map { row throws(LedgerError) in (try row.int(), try row.int(), try row.int()) }
            for (position, waiting, running) in counts where loads.indices.contains(position - 1) {
                loads[position - 1].waiting += waiting
                loads[position - 1].running += running
            }
        }
        return loads
    }

    // MARK: Statements

    /// `OFFSET 0` has the job found by its id, and not in the whole index of due jobs.
    static let jobsAhead = PostgresStatement(
        "jobs_ahead",
        """
        SELECT (SELECT count(*) FROM (
            SELECT FROM jobs a WHERE a.service = j.service AND a.state = 0 AND a.run_after IS NULL
                AND (a.rank, a.id) < (j.rank, j.id) AND (a.deadline IS NULL OR a.deadline > statement_timestamp())
            ORDER BY a.rank, a.id LIMIT $2::bigint) ahead)
        FROM (SELECT * FROM jobs WHERE id = $1::uuid OFFSET 0) j WHERE j.state = 0 AND j.run_after IS NULL
        """
    )

    /// The latest created of each state, then of all: each is a range of the index by service and state.
    static let timings = PostgresStatement(
        "timings",
        """
        SELECT greatest(0, extract(epoch FROM finished_at - started_at) * 1000000)::bigint, finished_at
        FROM (
            SELECT j.started_at, j.finished_at FROM unnest(ARRAY[2, 3, 5]::smallint[]) AS s(state)
            CROSS JOIN LATERAL (
                SELECT id, started_at, finished_at FROM jobs WHERE service = $1::text AND state = s.state
                ORDER BY id DESC LIMIT $2::bigint
            ) j
            ORDER BY j.id DESC LIMIT $2::bigint
        ) latest
        WHERE started_at IS NOT NULL AND finished_at IS NOT NULL ORDER BY finished_at DESC
        """
    )

    private static let history = PostgresStatement(
        "history",
        "SELECT h.attempt FROM jobs, unnest(history) WITH ORDINALITY AS h(attempt, n) WHERE id = $1::uuid ORDER BY h.n"
    )

    static let directLoads = PostgresStatement(
        "direct_loads",
        """
        SELECT u.n, count(*) FILTER (WHERE j.state = 0), count(*) FILTER (WHERE j.state = 1)
        FROM unnest($1::text[]) WITH ORDINALITY AS u(user_id, n)
        JOIN jobs j ON left(j.user_id, 200) = left(u.user_id, 200) AND j.user_id = u.user_id AND j.state < 2
        GROUP BY u.n
        """
    )

    /// The name of a task's user is put together, so that no index of all tasks is walked.
    static let taskLoads = PostgresStatement(
        "task_loads",
        """
        SELECT u.n, count(*) FILTER (WHERE j.state = 0), count(*) FILTER (WHERE j.state = 1)
        FROM tasks t JOIN unnest($1::text[]) WITH ORDINALITY AS u(user_id, n) ON u.user_id = t.app || '/' || t.user_id
        JOIN jobs j ON j.task_id = t.id AND j.state < 2
        WHERE t.state = 1 GROUP BY u.n
        """
    )
}
