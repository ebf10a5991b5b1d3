// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Plumbing
public import Workflow

extension PostgresLedger {
    /// The jobs of a task.
    public func jobs(ofTask task: TaskID, limit: Int) async throws(LedgerError) -> [Job] {
        try await run(PostgresCall(Self.jobsOfTask, [task, Int64(limit)]), on: durable).map(PostgresJobColumns.read)
    }

    /// One job with its payloads.
    public func job(_ id: JobID) async throws(LedgerError) -> JobRecord? {
        try await run(PostgresCall(Self.readJob, [id]), on: durable).map(PostgresJobColumns.readRecord).first
    }

    /// Reads a document.
    public func document(_ name: String) async throws(LedgerError) -> (version: Int, bytes: [UInt8])? {
        let rows = try await run(PostgresCall(Self.readDocument, [name]), on: durable)
        return try rows.map { row throws(LedgerError) in (version: try row.int(), bytes: try row.bytes()) }.first
    }

    /// Writes a document whose version is as expected.
    public func write(
        document name: String,
        expecting expected: Int,
        _ bytes: [UInt8]
    ) async throws(LedgerError) -> Bool {
        let call =
            expected == 0
            ? PostgresCall(Self.createDocument, [name, bytes])
            : PostgresCall(Self.updateDocument, [name, bytes, Int32(clamping: expected)])
        return try await run(call, on: durable).count == 1
    }

    // MARK: Numbers

    /// The numbers of each method: of the tasks that are there, and of those swept, by the day of acceptance.
    public func numbers(_ query: NumbersQuery) async throws(LedgerError) -> [Numbers] {
        var parameters: [any PostgresParameter] = [query.app, query.from, query.to]
        if let user = query.user { parameters.append(user) }
        let byUser = query.user != nil
        let rows = try await run(
            [
                PostgresCall(byUser ? Self.liveOfUser : Self.live, parameters),
                PostgresCall(byUser ? Self.sweptOfUser : Self.swept, parameters),
            ],
            on: durable
        )
        var numbers: [Numbers.Key: Numbers] = [:]
        let live = try rows[0].map { row throws(LedgerError) in
            var numbers = Numbers(user: try row.textIfAny(), method: try row.text())
            numbers.pending = try row.int()
            numbers.running = try row.int()
            try Self.addEnds(&row, to: &numbers)
            numbers.p50Milliseconds = try row.doubleIfAny()
            numbers.p95Milliseconds = try row.doubleIfAny()
            return numbers
        }
        for entry in live { numbers[entry.key] = entry }
        let swept = try rows[1].map { row throws(LedgerError) in
            let (user, method) = (try row.textIfAny(), try row.text())
            var sum = numbers[Numbers.Key(user: user, method: method)] ?? Numbers(user: user, method: method)
            try Self.addEnds(&row, to: &sum)
            return sum
        }
        for entry in swept { numbers[entry.key] = entry }
        return Array(numbers.values)
    }

    private static func addEnds(_ row: inout PostgresRow, to numbers: inout Numbers) throws(LedgerError) {
        numbers.succeeded += try row.int()
        numbers.failed += try row.int()
        numbers.cancelled += try row.int()
        numbers.timedOut += try row.int()
    }

    // MARK: Statements

    private static let jobsOfTask = PostgresStatement(
        "jobs_of_task",
        """
        SELECT \(PostgresJobColumns.list()) FROM jobs WHERE task_id = $1::uuid
        ORDER BY stage, item, id LIMIT $2::bigint
        """
    )

    private static let readJob = PostgresStatement(
        "read_job",
        "SELECT \(PostgresJobColumns.list()), input, result, usage FROM jobs WHERE id = $1::uuid"
    )

    private static let readDocument = PostgresStatement(
        "read_document",
        "SELECT version, bytes FROM documents WHERE name = $1::text"
    )

    private static let createDocument = PostgresStatement(
        "create_document",
        """
        INSERT INTO documents (name, version, bytes) VALUES ($1::text, 1, $2::bytea)
        ON CONFLICT (name) DO NOTHING RETURNING version
        """
    )

    private static let updateDocument = PostgresStatement(
        "update_document",
        """
        UPDATE documents SET version = version + 1, bytes = $2::bytea WHERE name = $1::text AND version = $3::int
        RETURNING version
        """
    )

    /// The sub-select per open task stops at the first job that was ever claimed.
    private static func live(_ name: String, _ filter: String, _ groups: String) -> PostgresStatement {
        PostgresStatement(
            name,
            """
            SELECT user_id, method, count(*) FILTER (WHERE state = 1 AND NOT begun),
                count(*) FILTER (WHERE state = 1 AND begun), count(*) FILTER (WHERE state = 2),
                count(*) FILTER (WHERE state = 3), count(*) FILTER (WHERE state = 4),
                count(*) FILTER (WHERE state = 5),
                percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FILTER (WHERE state = 2),
                percentile_cont(0.95) WITHIN GROUP (ORDER BY ms) FILTER (WHERE state = 2)
            FROM (
                SELECT user_id, method, state,
                    (extract(epoch FROM finished_at - created_at) * 1000)::float8 AS ms,
                    state = 1 AND (
                        SELECT true FROM jobs j WHERE j.task_id = t.id AND j.attempt > 0 LIMIT 1
                    ) IS NOT NULL AS begun
                FROM tasks t
                WHERE app = $1::text AND ($2::timestamptz IS NULL OR created_at >= $2::timestamptz)
                    AND ($3::timestamptz IS NULL OR created_at < $3::timestamptz)\(filter)
            ) task
            GROUP BY \(groups)
            """
        )
    }

    private static func swept(_ name: String, _ filter: String, _ groups: String) -> PostgresStatement {
        PostgresStatement(
            name,
            """
            SELECT user_id, method, sum(succeeded)::bigint, sum(failed)::bigint, sum(cancelled)::bigint,
                sum(timed_out)::bigint
            FROM user_numbers
            WHERE app = $1::text
                AND ($2::timestamptz IS NULL OR day >= ($2::timestamptz AT TIME ZONE 'UTC')::date)
                AND ($3::timestamptz IS NULL OR day <= ($3::timestamptz AT TIME ZONE 'UTC')::date)\(filter)
            GROUP BY \(groups)
            """
        )
    }

    private static let ofUser = (filter: " AND user_id = $4::text", groups: "user_id, method")
    /// Of each user, and with NULL as the user of all together.
    private static let ofAll = (filter: "", groups: "GROUPING SETS ((user_id, method), (method))")

    private static let live = live("live", ofAll.filter, ofAll.groups)
    private static let liveOfUser = live("live_of_user", ofUser.filter, ofUser.groups)
    private static let swept = swept("swept", ofAll.filter, ofAll.groups)
    private static let sweptOfUser = swept("swept_of_user", ofUser.filter, ofUser.groups)
}
