// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Plumbing
public import Workflow

extension PostgresLedger {
    /// Keeps definitions by their hash.
    public func store(definitions: [WorkflowDefinition]) async throws(LedgerError) {
        guard !definitions.isEmpty else { return }
        let calls = definitions.sorted { $0.hash < $1.hash }.map { definition in
            PostgresCall(
                Self.storeDefinition,
                [
                    definition.hash, definition.app, definition.method,
                    PostgresList(definition.stages.map(\.name)), definition.stored,
                ]
            )
        }
        try await retryingConflicts { () async throws(LedgerError) in _ = try await run(calls, on: durable) }
        knownDefinitions.keep(definitions)
    }

    /// Accepts requests in one statement; only what it refused is read back.
    public func accept(_ requests: [NewTask]) async throws(LedgerError) -> [NewTask.Acceptance] {
        guard !requests.isEmpty else { return [] }
        // Sorted by key, so that two batches with the same keys can't lock each other out.
        let sorted = requests.sorted { Self.key($0.task) < Self.key($1.task) }
        let parameters =
            try PostgresTaskColumns.parameters(sorted.map(\.task))
            + Self.runParameters(sorted.map { ($0.task.id, $0.run) })
            + PostgresJobColumns.parameters(sorted.flatMap(\.jobs))
            + PostgresCallbackColumns.parameters(sorted.flatMap(\.callbacks))
        let call = PostgresCall(Self.accept, parameters)
        return try await retryingConflicts { () async throws(LedgerError) in
            let rows = try await run(call, on: durable)
            let created = Set(try rows.map { row throws(LedgerError) in try row.id() })
            knownRuns.note(accepted: requests.lazy.filter { created.contains($0.task.id) })
            return try await acceptances(of: requests, created: created)
        }
    }

    private func acceptances(
        of requests: [NewTask],
        created: Set<TaskID>
    ) async throws(LedgerError) -> [NewTask.Acceptance] {
        let refused = requests.map(\.task).filter { !created.contains($0.id) }
        var known: [[String]: (id: TaskID, fingerprint: [UInt8])] = [:]
        if !refused.isEmpty {
            let call = PostgresCall(
                Self.findRequests,
                [
                    PostgresList(refused.map(\.app)), PostgresList(refused.map(\.user)),
                    PostgresList(refused.map(\.request)),
                ]
            )
            let rows = try await run(call, on: durable)
            let found = try rows.map { row throws(LedgerError) in
                (Int(try row.int()), try row.id(), try row.bytes())
            }
            for (position, id, fingerprint) in found where refused.indices.contains(position - 1) {
                known[Self.key(refused[position - 1]).parts] = (id, fingerprint)
            }
        }
        var answers: [NewTask.Acceptance] = []
        for request in requests {
            if created.contains(request.task.id) {
                answers.append(.created)
            } else if let first = known[Self.key(request.task).parts] {
                answers.append(
                    first.fingerprint == request.task.fingerprint ? .repeated(first.id) : .clash(first.id)
                )
            } else {
                // It was there and has been swept meanwhile: the next try creates it.
                throw LedgerError(.conflict, "a request was swept while it was accepted again")
            }
        }
        return answers
    }

    /// What became of a request that came before.
    public func earlier(
        app: String,
        user: String,
        request: String,
        fingerprint: [UInt8]
    ) async throws(LedgerError) -> NewTask.Acceptance? {
        let key = [PostgresList([app]), PostgresList([user]), PostgresList([request])]
        let rows = try await run(PostgresCall(Self.findRequests, key), on: quick)
        return try rows.map { row throws(LedgerError) -> NewTask.Acceptance in
            _ = try row.int()
            let (id, first) = (try row.id(), try row.bytes())
            return first == fingerprint ? .repeated(id) : .clash(id)
        }.first
    }

    private struct RequestKey: Comparable {
        let parts: [String]
        static func < (left: RequestKey, right: RequestKey) -> Bool {
            left.parts.lexicographicallyPrecedes(right.parts)
        }
    }

    private static func key(_ task: TaskRecord) -> RequestKey {
        RequestKey(parts: [task.app, task.user, task.request])
    }

    /// A task with its run.
    public func task(_ id: TaskID) async throws(LedgerError) -> TaskView? {
        let rows = try await run(PostgresCall(Self.readTask, [id]), on: durable)
        return try rows.map { row throws(LedgerError) in
            let task = try PostgresTaskColumns.read(&row)
            let run = try PostgresTaskColumns.readRun(&row)
            return TaskView(task: task, run: run, stageNames: try row.texts(), startedAt: try row.momentIfAny())
        }.first
    }

    /// One list per column of `runs`.
    static func runParameters(_ runs: [(task: TaskID, run: Run)]) -> [any PostgresParameter] {
        [
            PostgresList(runs.map(\.task)), PostgresList(runs.map(\.run.state.postgresCode)),
            PostgresList(runs.map(\.run.encoded)),
        ]
    }

    // MARK: Statements

    static let runColumns: [(name: String, type: String)] = [
        ("task_id", "uuid"), ("state", "smallint"), ("stages", "bytea"),
    ]

    private static let storeDefinition = PostgresStatement(
        "store_definition",
        """
        INSERT INTO definitions (hash, app, method, stages, stored)
        VALUES ($1::text, $2::text, $3::text, $4::text[], $5::bytea) ON CONFLICT (hash) DO NOTHING
        """
    )

    /// `(… IN …) IS TRUE` keeps the planner from a join: the created ids are hashed once.
    private static let accept: PostgresStatement = {
        let tasks = PostgresTaskColumns.all
        let jobs = PostgresJobColumns.inserted
        let callbacks = PostgresCallbackColumns.all
        let (runsFrom, jobsFrom) = (tasks.count + 1, tasks.count + runColumns.count + 1)
        let callbacksFrom = jobsFrom + jobs.count
        let names = { (columns: [(name: String, type: String)]) in PostgresStatement.names(columns) }
        return PostgresStatement(
            "accept",
            """
            WITH created AS (
                INSERT INTO tasks (\(names(tasks)))
                SELECT \(names(tasks)) FROM \(PostgresStatement.unnest(tasks))
                ON CONFLICT (app, user_id, request) DO NOTHING RETURNING id
            ), new_runs AS (
                INSERT INTO runs (\(names(runColumns)))
                SELECT \(names(runColumns)) FROM \(PostgresStatement.unnest(runColumns, from: runsFrom))
                WHERE (task_id IN (SELECT id FROM created)) IS TRUE
            ), new_jobs AS (
                INSERT INTO jobs (\(names(jobs)))
                SELECT \(names(jobs)) FROM \(PostgresStatement.unnest(jobs, from: jobsFrom))
                WHERE (task_id IN (SELECT id FROM created)) IS TRUE
            ), new_callbacks AS (
                INSERT INTO callbacks (\(names(callbacks)))
                SELECT \(names(callbacks)) FROM \(PostgresStatement.unnest(callbacks, from: callbacksFrom))
                WHERE (task_id IN (SELECT id FROM created)) IS TRUE
            )
            SELECT id FROM created
            """
        )
    }()

    private static let findRequests = PostgresStatement(
        "find_requests",
        """
        SELECT u.n, t.id, t.fingerprint
        FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS u(app, user_id, request, n)
        JOIN tasks t ON t.app = u.app AND t.user_id = u.user_id AND t.request = u.request
        """
    )

    static let insertJobs = PostgresStatement(
        "insert_jobs",
        """
        INSERT INTO jobs (\(PostgresStatement.names(PostgresJobColumns.inserted)))
        SELECT \(PostgresStatement.names(PostgresJobColumns.inserted))
        FROM \(PostgresStatement.unnest(PostgresJobColumns.inserted))
        ON CONFLICT (id) DO NOTHING
        """
    )

    private static let readTask = PostgresStatement(
        "read_task",
        """
        SELECT \(PostgresStatement.names(PostgresTaskColumns.all, prefix: "t.")), r.stages,
            coalesce(d.stages, ARRAY[]::text[]),
            (SELECT min(coalesce(first.started_at, first.created_at)) FROM (
                SELECT j.started_at, j.created_at FROM jobs j WHERE j.task_id = t.id AND j.attempt > 0
                ORDER BY j.stage, j.item LIMIT 100) first)
        FROM tasks t JOIN runs r ON r.task_id = t.id LEFT JOIN definitions d ON d.hash = t.definition
        WHERE t.id = $1::uuid
        """
    )
}
