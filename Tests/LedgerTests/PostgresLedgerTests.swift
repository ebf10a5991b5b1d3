// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Logging
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import LedgerPostgres

@Suite(.needs(.postgres), .serialized)
struct PostgresLedgerTests {
    private func jobs(_ count: Int, service: String = "alpha") -> [JobRecord] {
        let now = Timestamp.now
        return (0..<count).map { index in
            JobRecord(
                job: Job(id: MeshID(at: now), service: service, rank: Int64(index), createdAt: now),
                input: Array("{\"n\":\(index)}".utf8)
            )
        }
    }

    @Test func migrationsMayStartFourTimesAtOnce() async throws {
        try await PostgresTestSchema.with { schema in
            let ledgers = (0..<4).map { _ in schema.ledger() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for ledger in ledgers { group.addTask { try await ledger.migrate() } }
                try await group.waitForAll()
            }
            let rows = try await schema.execute("SELECT number FROM schema_migrations ORDER BY number")
            let numbers = try rows[0].map { row throws(LedgerError) in try row.int() }
            #expect(numbers == Array(1...PostgresMigration.all.count))
            for ledger in ledgers { await ledger.close() }
        }
    }

    @Test func twoLedgersClaimTenThousandJobsWithoutDoubles() async throws {
        try await PostgresTestSchema.with { schema in
            let ledgers = [schema.ledger(), schema.ledger()]
            try await ledgers[0].migrate()
            let records = jobs(10_000)
            try await ledgers[0].create(records)
            let claimed = try await withThrowingTaskGroup(of: [JobID].self) { group in
                for worker in 0..<8 {
                    let ledger = ledgers[worker % 2]
                    group.addTask {
                        var mine: [JobID] = []
                        while true {
                            let leases = (0..<64).map { _ in MeshID() }
                            let batch = try await ledger.claim(service: "alpha", worker: "w\(worker)", leases: leases)
                            if batch.isEmpty { return mine }
                            #expect(Set(batch.compactMap(\.job.lease)).isSubset(of: leases))
                            mine += batch.map(\.job.id)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(claimed.count == 10_000)
            #expect(Set(claimed) == Set(records.map(\.job.id)))
            for ledger in ledgers { await ledger.close() }
        }
    }

    @Test func theSameClaimFromManyAtOnceTakesOneSetOfJobs() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            try await ledger.create(jobs(100))
            let leases = (0..<10).map { _ in MeshID() }
            let answers = try await withThrowingTaskGroup(of: Set<JobID>.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        Set(try await ledger.claim(service: "alpha", worker: "w", leases: leases).map(\.job.id))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(answers).count == 1)
            let expected = ServiceLoad(service: "alpha", waiting: 90, due: 90, running: 10)
            #expect(try await ledger.loads(of: ["alpha"]) == [expected])
            await ledger.close()
        }
    }

    @Test(.enabled(if: TestServers.isCI || TestServers.postgresTLS != nil)) func speaksTLS() async throws {
        try await PostgresTestSchema.with(TestServers.postgresTLS) { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            try await ledger.create(jobs(1))
            let rows = try await schema.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            #expect(try rows[0].map { row throws(LedgerError) in try row.bool() } == [true])
            await ledger.close()
        }
    }

    @Test func neitherABadURLNorARefusedLoginShowsThePassword() async throws {
        for url in ["postgresql://u:s3cret@127.0.0.1:notaport/x", "postgresql://u:s3cret@127.0.0.1:1/x", "s3cret"] {
            let ledger = PostgresLedger(PostgresSettings(url: url), logger: Logger(label: "test"))
            let error = await #expect(throws: LedgerError.self) { try await ledger.ping() }
            #expect(error.map { !"\($0)".contains("s3cret") } == true, "\(String(describing: error))")
            #expect(!"\(PostgresSettings(url: url))".contains("s3cret"))
            await ledger.close()
        }
    }

    @Test func moreCallersThanConnectionsWaitInLine() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger(poolSize: 1)
            try await ledger.migrate()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<200 { group.addTask { try await ledger.create(jobs(3)) } }
                try await group.waitForAll()
            }
            #expect(try await ledger.loads(of: ["alpha"]).first?.due == 600)
            await ledger.close()
        }
    }

    @Test func aCancelledCallerLeavesNothingHalfDone() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger(poolSize: 1)
            try await ledger.migrate()
            for _ in 0..<20 {
                let records = jobs(50)
                let task = Task { try await ledger.create(records) }
                task.cancel()
                _ = await task.result
            }
            #expect(try await ledger.loads(of: ["alpha"]).first?.due == 1000)
            await ledger.close()
        }
    }

    @Test func textWithANullByteFailsNoBatch() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            var records = jobs(2)
            records[0].job.trace = "a\u{0}b"
            try await ledger.create(records)
            #expect(try await ledger.job(records[0].job.id)?.job.trace == "a\u{FFFD}b")
            await ledger.close()
        }
    }
}
