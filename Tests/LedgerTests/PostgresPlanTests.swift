// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import LedgerPostgres

/// Which indexes the statements for direct jobs walk, and who gets a turn where many wait.
@Suite(.needs(.postgres), .serialized)
struct PostgresPlanTests {
    private func plan(
        _ statement: PostgresStatement,
        _ parameters: [any PostgresParameter],
        _ ledger: PostgresLedger
    ) async throws -> String {
        let explain = PostgresStatement("explain_\(statement.name)", "EXPLAIN " + statement.text)
        return try await ledger.run(PostgresCall(explain, parameters), on: ledger.quick)
            .map { row throws(LedgerError) in try row.text() }.joined(separator: "\n")
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
            let remote = try await plan(
                PostgresLedger.remoteClaim(byType: true, byProfile: true),
                ["alpha", "w", PostgresList([MeshID()]), Int64(1), PostgresList(["t"]), PostgresList(["p"])],
                ledger
            )
            #expect(remote.contains("Index Scan using jobs_due"), "\(remote)")
            let heads = try await plan(
                PostgresLedger.heads,
                [PostgresList(["alpha"]), PostgresList([Int64(0)]), PostgresList([Int64.max])],
                ledger
            )
            #expect(heads.contains("using jobs_due"), "\(heads)")
            let ahead = try await plan(PostgresLedger.jobsAhead, [MeshID(), Int64(9)], ledger)
            #expect(ahead.contains("using jobs_due"), "\(ahead)")
            let loads = try await plan(PostgresLedger.directLoads, [PostgresList(["u1"])], ledger)
            #expect(loads.contains("using jobs_user"), "\(loads)")
            let tasks = try await plan(PostgresLedger.taskLoads, [PostgresList(["a/u1"])], ledger)
            #expect(tasks.contains("using tasks_open") && tasks.contains("using jobs_task"), "\(tasks)")
            let keys = try await plan(PostgresLedger.findKeys, [PostgresList([[UInt8(1)]])], ledger)
            #expect(keys.contains("using jobs_dedup"), "\(keys)")
            let timings = try await plan(PostgresLedger.timings, ["alpha", Int64(9)], ledger)
            #expect(timings.contains("using jobs_service"), "\(timings)")
            var query = JobQuery(limit: 9)
            (query.ownerService, query.ownerRef) = ("crm", "7")
            var filter = PostgresJobFilter("list", [Int64(9)])
            filter.add(query)
            let text = "SELECT id FROM jobs\(filter.text) ORDER BY id DESC LIMIT $1::bigint"
            let list = PostgresStatement(filter.name, text)
            let owned = try await plan(list, filter.parameters, ledger)
            #expect(owned.contains("using jobs_owner"), "\(owned)")
            let outbox = try await plan(
                PostgresLedger.takeCallbacks,
                [PostgresList(["a"]), Int64(9), Int64(9)],
                ledger
            )
            #expect(outbox.split(separator: "callbacks_due").count == 2, "walked once for all:\n\(outbox)")
            let hold = try await plan(PostgresLedger.holdCallbacks, [PostgresList([MeshID()]), Int64(9)], ledger)
            #expect(!hold.contains("callbacks_due"), "\(hold)")
            let release = try await plan(
                PostgresLedger.releaseCallbacks,
                [PostgresList([MeshID()]), PostgresList([Timestamp.now])],
                ledger
            )
            #expect(release.contains("using callbacks_pkey") && !release.contains("callbacks_due"), "\(release)")
            let record = try await plan(
                PostgresLedger.updateCallbacks,
                [
                    PostgresList([MeshID()]), PostgresList([Int32(1)]), PostgresList([Int16(1)]),
                    PostgresList(optional: [Int64?.none]),
                ],
                ledger
            )
            #expect(record.contains("using callbacks_pkey") && !record.contains("Seq Scan"), "\(record)")
            let (ids, bytes) = (PostgresList([MeshID()]), PostgresList([[UInt8(1)]]))
            let advance = try await plan(
                PostgresLedger.advance,
                [ids, PostgresList([Int16(0)]), bytes, bytes, ids, ids, bytes, bytes],
                ledger
            )
            #expect(advance.contains("Index Cond: (task_id = u.task_id)"), "\(advance)")
            #expect(advance.contains("Index Cond: (id = u_1.id)"), "\(advance)")
            for text in [remote, heads, ahead, loads, tasks, keys, timings, owned, advance] {
                #expect(!text.contains("Seq Scan on jobs"), "\(text)")
            }
            await ledger.close()
        }
    }

    /// With many rows that run when the statistics were made, a walk over all jobs in the order of their ids looks cheap.
    @Test(arguments: [0, 300, 6_000]) func nothingThatIsDoneOftenWalksAllJobs(running: Int) async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            let now = Timestamp.now
            let records = (0..<20_000).map { index in
                var job = Job(id: MeshID(at: now), service: "alpha", createdAt: now)
                if index < running {
                    (job.state, job.worker, job.lease, job.startedAt) = (.running, "w\(index % 4)", MeshID(), now)
                }
                return JobRecord(job: job, input: Array("{}".utf8))
            }
            try await ledger.create(records)
            try await schema.execute("ANALYZE jobs")
            let (apps, ids) = (PostgresList(["a"]), PostgresList([MeshID()]))
            let plans = [
                try await plan(PostgresLedger.reap, [Int64(1), Int64(9), Int32(9)], ledger),
                try await plan(PostgresLedger.promote, [Int64(9)], ledger),
                try await plan(PostgresLedger.expiredJobs, [Int64(9)], ledger),
                try await plan(PostgresLedger.longAttempts, [apps, Int64(9)], ledger),
                try await plan(PostgresLedger.loads, [PostgresList(["alpha"])], ledger),
                try await plan(PostgresLedger.claim, ["alpha", "w1", ids, Int64(0)], ledger),
                try await plan(PostgresLedger.assigned, ["w1", Int64(1)], ledger),
                try await plan(PostgresLedger.lockRuns, [ids, ids], ledger),
                try await plan(PostgresLedger.lockJobs, [ids], ledger),
            ]
            for plan in plans {
                let lines = plan.split(separator: "\n")
                for (line, next) in zip(lines, lines.dropFirst()) {
                    #expect(!line.contains("Seq Scan on jobs"), "\(plan)")
                    // These two hold every job.
                    guard line.contains("jobs_pkey") || line.contains("jobs_service") else { continue }
                    #expect(next.contains("Index Cond"), "\(plan)")
                }
            }
            await ledger.close()
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
