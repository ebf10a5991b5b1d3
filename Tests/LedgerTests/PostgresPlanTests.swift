// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import LedgerPostgres

/// Which indexes the statements walk, and who gets a turn where many wait.
@Suite(.needs(.postgres), .serialized)
struct PostgresPlanTests {
    /// The plan for any parameters, which is the one that the ledger's connections use: `EXPLAIN` with parameters would
    /// tell the plan for these.
    private func plan(_ statement: PostgresStatement, _ ledger: PostgresLedger) async throws -> String {
        let count = statement.text.matches(of: /\$([0-9]+)/).compactMap { Int($0.1) }.max() ?? 0
        let nulls = count == 0 ? "" : "(\(Array(repeating: "NULL", count: count).joined(separator: ", ")))"
        let name = "plan_\(statement.name)"
        let steps = ["PREPARE \(name) AS \(statement.text)", "EXPLAIN EXECUTE \(name)\(nulls)", "DEALLOCATE \(name)"]
        let answers = try await ledger.run(steps.map { PostgresCall(.once($0)) }, on: ledger.quick)
        return try answers[1].map { row throws(LedgerError) in try row.text() }.joined(separator: "\n")
    }

    @Test(arguments: [0, 20_000]) func statementsWalkTheirIndexes(backlog: Int) async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            let now = Timestamp.now
            let records = (0..<backlog).map { index in
                var labels = JobLabels()
                labels.ownerService = "crm"
                labels.ownerRef = "\(index)"
                labels.user = "u\(index % 1000)"
                labels.dedupKey = "\(index)"
                let job = Job(id: MeshID(at: now), service: "alpha", createdAt: now, labels: labels)
                return JobRecord(job: job, input: Array("{}".utf8))
            }
            if !records.isEmpty { try await ledger.create(records) }
            let claim = try await plan(PostgresLedger.claim, ledger)
            #expect(claim.contains("Index Scan using jobs_due"), "\(claim)")
            // From the rank on: what comes before it may be thousands that were claimed since the last vacuum.
            #expect(claim.contains("Index Cond: ((service = $1) AND (rank >= $4))"), "\(claim)")
            // Not by the worker alone, which may hold thousands.
            #expect(claim.contains("Index Cond: ((worker = $2) AND (lease = l.lease))"), "\(claim)")
            let remote = try await plan(PostgresLedger.remoteClaim(byType: true, byProfile: true), ledger)
            #expect(remote.contains("Index Scan using jobs_due"), "\(remote)")
            let heads = try await plan(PostgresLedger.heads, ledger)
            #expect(heads.contains("using jobs_due"), "\(heads)")
            let ahead = try await plan(PostgresLedger.jobsAhead, ledger)
            #expect(ahead.contains("using jobs_due"), "\(ahead)")
            let loads = try await plan(PostgresLedger.directLoads, ledger)
            #expect(loads.contains("using jobs_user"), "\(loads)")
            let tasks = try await plan(PostgresLedger.taskLoads, ledger)
            #expect(tasks.contains("using tasks_open") && tasks.contains("using jobs_task"), "\(tasks)")
            let keys = try await plan(PostgresLedger.findKeys, ledger)
            #expect(keys.contains("using jobs_dedup"), "\(keys)")
            let timings = try await plan(PostgresLedger.timings, ledger)
            #expect(timings.contains("using jobs_service"), "\(timings)")
            var query = JobQuery(limit: 9)
            (query.ownerService, query.ownerRef) = ("crm", "7")
            var filter = PostgresJobFilter("list", [Int64(9)])
            filter.add(query)
            let text = "SELECT id FROM jobs\(filter.text) ORDER BY id DESC LIMIT $1::bigint"
            let list = PostgresStatement(filter.name, text)
            let owned = try await plan(list, ledger)
            #expect(owned.contains("using jobs_owner"), "\(owned)")
            let outbox = try await plan(PostgresLedger.takeCallbacks, ledger)
            #expect(outbox.split(separator: "callbacks_due").count == 2, "walked once for all:\n\(outbox)")
            let hold = try await plan(PostgresLedger.holdCallbacks, ledger)
            #expect(!hold.contains("callbacks_due"), "\(hold)")
            let release = try await plan(PostgresLedger.releaseCallbacks, ledger)
            #expect(release.contains("using callbacks_pkey") && !release.contains("callbacks_due"), "\(release)")
            let record = try await plan(PostgresLedger.updateCallbacks, ledger)
            #expect(record.contains("using callbacks_pkey") && !record.contains("Seq Scan"), "\(record)")
            let advance = try await plan(PostgresLedger.advance, ledger)
            #expect(advance.contains("Index Cond: (task_id = u.task_id)"), "\(advance)")
            #expect(advance.contains("Index Cond: (id = u_1.id)"), "\(advance)")
            for text in [claim, remote, heads, ahead, loads, tasks, keys, timings, owned, advance] {
                #expect(!text.contains("Seq Scan on jobs"), "\(text)")
            }
            await ledger.close()
        }
    }

    /// With many rows that run when the statistics were made, a walk over all jobs in the order of their ids looks cheap,
    /// as do walks over indexes alone after a vacuum.
    @Test(arguments: [0, 300, 6_000]) func nothingThatIsDoneOftenWalksAllJobs(running: Int) async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            try await fill(schema, running: running)
            let often = [
                PostgresLedger.reap, PostgresLedger.promote, PostgresLedger.expiredJobs, PostgresLedger.longAttempts,
                PostgresLedger.loads, PostgresLedger.created, PostgresLedger.claim, PostgresLedger.assigned,
                PostgresLedger.handBack, PostgresLedger.beat, PostgresLedger.postpone, PostgresLedger.lockRuns,
                PostgresLedger.lockJobs, PostgresLedger.readRuns, PostgresLedger.readOutputs, PostgresLedger.advance,
                PostgresLedger.updateSucceeded, PostgresLedger.updateJobs, PostgresLedger.updateRuns,
                PostgresLedger.finishTasks, PostgresLedger.cancelTask,
            ]
            for statement in often {
                let plan = try await plan(statement, ledger)
                #expect(!plan.contains(/Seq Scan on (jobs|tasks|runs)/), "\(statement.name):\n\(plan)")
                for walk in unboundedWalks(plan) { Issue.record("\(statement.name): \(walk)\n\(plan)") }
            }
            await ledger.close()
        }
    }

    /// 20,000 jobs, every other one of a task, that ended but for those that run, with the statistics of a vacuum.
    private func fill(_ schema: PostgresTestSchema, running: Int) async throws {
        try await schema.execute(
            """
            INSERT INTO jobs (id, task_id, app, stage, item, service, state, lease, worker, attempt, failures, deaths,
                orphaned, max_attempts, backoff_base, backoff_cap, backoff_jitter, timeout, rank, created_at,
                started_at, input)
            SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN gen_random_uuid() END, 'a', 0, 0, 'alpha',
                CASE WHEN n <= \(running) THEN 1 ELSE 2 END, gen_random_uuid(), 'w' || n % 4, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0,
                now(), now(), '{}' FROM generate_series(1, 20000) AS n
            """
        )
        try await schema.execute("INSERT INTO runs SELECT task_id, 1, '' FROM jobs WHERE task_id IS NOT NULL")
        try await schema.execute(
            """
            INSERT INTO tasks (id, app, method, user_id, role, request, fingerprint, payload, definition, state,
                created_at, deadline, finished_at)
            SELECT task_id, 'a', 'm', 'u', 'user', task_id::text, '', '', '', 2, now(), now(), now() FROM runs
            """
        )
        for table in ["jobs", "runs", "tasks"] { try await schema.execute("VACUUM ANALYZE \(table)") }
    }

    /// The lines of a plan that go through an index that holds every job, task or run without a bound on what it begins
    /// with; all jobs of a service are no bound.
    private func unboundedWalks(_ plan: String) -> [Substring] {
        let lines = plan.split(separator: "\n")
        return zip(lines, lines.dropFirst() + [""]).compactMap { line, next in
            if line.contains(" jobs_service ") {
                let isBound = next.contains("(service = ") && next.contains("AND (state ")
                return isBound ? nil : line
            }
            let indexes = ["jobs_pkey": "id", "tasks_pkey": "id", "runs_pkey": "task_id", "jobs_task": "task_id"]
            guard let column = indexes.first(where: { line.contains(" \($0.key) ") })?.value else { return nil }
            let isBound = next.contains("Index Cond: (\(column) ") || next.contains("Index Cond: ((\(column) ")
            return isBound ? nil : line
        }
    }

    @Test func aDeadReceiverLeavesOthersTheirTurn() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            let old = Timestamp.now - .seconds(100)
            let callbacks = (0..<1510).map { index in
                CallbackRecord(
                    id: MeshID(),
                    task: MeshID(),
                    app: "a",
                    url: index < 1500 ? "https://dead.invalid/\(index)" : "https://live\(index % 2).invalid/x",
                    isTrusted: false,
                    headers: [],
                    body: [],
                    dueAt: old + .milliseconds(index),
                    createdAt: old
                )
            }
            let call = PostgresCall(PostgresLedger.insertCallbacks, try PostgresCallbackColumns.parameters(callbacks))
            _ = try await ledger.run(call, on: ledger.durable)
            let first = try await ledger.takeCallbacks(apps: ["a"], limit: 20, hold: .seconds(60))
            #expect(first.count == 20)
            #expect(first.count { $0.url.contains("live") } == 10)
            let rest = try await ledger.takeCallbacks(apps: ["a"], limit: 5000, hold: .seconds(60))
            #expect(rest.count == 1490)
            #expect(Set((first + rest).map(\.id)).count == 1510)
            #expect(try await ledger.takeCallbacks(apps: ["a"], limit: 20, hold: .seconds(60)).isEmpty)
            await ledger.close()
        }
    }

    @Test func theFurthestTailOutlivesItsQueueAndOldOnesGo() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            let lane = FairRanks.Lane(service: "alpha", priority: 0)
            let tails = (1...500).map { FairTail(lane: lane, user: "u\($0)", finish: Int64($0)) }
            #expect(try await ledger.share(tails + tails.reversed(), services: ["alpha"]).tails.count == 500)
            let job = Job(id: MeshID(), service: "alpha", rank: lane.base + 1000, createdAt: .now)
            try await ledger.create([JobRecord(job: job, input: [])])
            #expect(try await ledger.share([], services: ["alpha"]).tails == [])
            _ = try await ledger.claim(service: "alpha", worker: "w", leases: [MeshID()])
            // Whoever starts now learns where the queue has come to.
            #expect(try await ledger.share([], services: ["alpha"]).tails == [tails[499]])
            _ = try await ledger.share(tails, services: [])
            try await schema.execute("UPDATE fair_tails SET told_at = told_at - interval '2 minutes'")
            #expect(try await ledger.share([], services: ["alpha"]).tails == [tails[499]])
            await ledger.close()
        }
    }
}
