// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import LedgerPostgres

/// A ledger that an earlier release filled.
@Suite(.needs(.postgres), .serialized)
struct PostgresMigrationTests {
    /// The schema as the first release made it.
    private func makeFirst(_ schema: PostgresTestSchema) async throws {
        let note = "INSERT INTO schema_migrations (number, name) VALUES (1, 'ledger')"
        let statements = [PostgresMigration.table] + PostgresMigration.ledger.statements + [note]
        try await schema.execute(statements.joined(separator: ";"))
    }

    private func insert(_ id: JobID, state: Int, error: String = "NULL", _ schema: PostgresTestSchema) async throws {
        let claimed = state > 0
        try await schema.execute(
            """
            INSERT INTO jobs (id, service, state, lease, worker, attempt, failures, deaths, orphaned, max_attempts,
                backoff_base, backoff_cap, backoff_jitter, timeout, rank, created_at, started_at, finished_at, error,
                input)
            VALUES ('\(id)', 'alpha', \(state), \(claimed ? "'\(MeshID())'" : "NULL"), \(claimed ? "'w'" : "NULL"),
                \(claimed ? 1 : 0), 0, 0, 0, 3, 1000000, 60000000, 0.5, 600000000, 1, now(),
                \(claimed ? "now()" : "NULL"), \(state > 1 ? "now()" : "NULL"), \(error), 'x')
            """
        )
    }

    @Test func theRowsOfTheFirstReleaseLiveOn() async throws {
        try await PostgresTestSchema.with { schema in
            try await makeFirst(schema)
            let ids = (0..<4).map { _ in MeshID() }
            try await insert(ids[0], state: 0, schema)
            try await insert(ids[1], state: 1, schema)
            let said = #"{"message":"said \\"category\\":\\"poison\\"","category":"provider","isFinal":true}"#
            try await insert(ids[2], state: 3, error: "'\(said)'", schema)
            try await insert(ids[3], state: 2, schema)
            try await schema.execute(
                "INSERT INTO workers VALUES ('w', 'w', '{alpha}', 1, 1, false, NULL, clock_timestamp(), now())"
            )
            let ledger = schema.ledger()
            try await ledger.migrate()
            try await ledger.migrate()

            #expect(Set(try await ledger.jobs(JobQuery(limit: 9)).map(\.id)) == Set(ids))
            #expect(try await ledger.job(ids[2])?.job.error?.category == .provider)
            let all = try #require(try await ledger.statistics(JobStatisticsQuery()).first)
            #expect(all.errors == [.provider: 1])
            #expect(all.states == [.waiting: 1, .running: 1, .succeeded: 1, .failed: 1])
            #expect(try await ledger.workers().map(\.beat.isRemote) == [false])

            // A job that the first release claimed is still its worker's, and ends as any other.
            #expect(try await ledger.reap(olderThan: .seconds(60), limit: 9).ready.count == 0)
            try await ledger.retire(worker: "w")
            #expect(try await ledger.reap(olderThan: .seconds(60), limit: 9).ready.map(\.id) == [ids[1]])
            #expect(try await ledger.attempts(ofJob: ids[1]).map(\.outcome) == ["worker_lost"])
            let retry = Settlement(job: ids[2], event: .retried)
            let outcome = try await ledger.settle([retry], tasks: [], finishing: DirectFinishing())
            #expect(outcome.verdicts == [.applied(.waiting)])
            #expect(try await ledger.statistics(JobStatisticsQuery()).first?.errors == [:])
            #expect(try await ledger.sweep(finishedBefore: .now + .seconds(60), limit: 9) == 1)
            await ledger.close()
        }
    }

    @Test func stepsAreNumberedWithoutGaps() {
        #expect(PostgresMigration.all.map(\.number) == [1, 2, 3])
        #expect(PostgresMigration.ledger.statements.count == 23)
    }
}
