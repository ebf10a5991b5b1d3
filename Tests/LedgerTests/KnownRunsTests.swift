// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import LedgerSQLite
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import LedgerPostgres

@Suite("What is known of a run is a hint: its row decides")
struct KnownRunsTests {
    private func request(payload: String = "{\"n\":1}") async throws -> (LedgerFixture, NewTask) {
        let fixture = try await LedgerFixture(ledger: try await migrated(), advanceClock: nil)
        return (fixture, fixture.request(fixture.chain, payload: payload))
    }

    private func migrated() async throws -> SQLiteLedger {
        let ledger = try SQLiteLedger.inMemory()
        try await ledger.migrate()
        return ledger
    }

    @Test("completions of a run with one open job are found, and nothing else")
    func finds() async throws {
        let (fixture, one) = try await request()
        let many = fixture.request(fixture.fanAll)
        let known = KnownRuns()
        known.note(accepted: [one, many])
        let (job, lease) = (one.jobs[0].job.id, MeshID())
        let found = known.find([.completion(job, lease)] + many.jobs.map { .completion($0.job.id, MeshID()) })
        #expect(found.keys.elementsEqual([job]))
        #expect(found[job]?.job.state == .running)
        #expect(found[job]?.job.lease == lease)
        let failure = Settlement(job: job, event: .failed(lease: lease, JobError(.handler, "no")))
        #expect(known.find([failure]).isEmpty)
        // Only the row can tell which of the two holds the job.
        #expect(known.find([.completion(job, lease), .completion(job, MeshID())]).isEmpty)
        #expect(known.find([.completion(job, lease), failure]).isEmpty)
        known.forget([job])
        #expect(known.find([.completion(job, lease)]).isEmpty)
    }

    @Test("what is known takes no more than its share of memory, and the newest stay")
    func forgets() async throws {
        let (fixture, _) = try await request()
        let known = KnownRuns(limit: 100_000)
        let payload = "{\"n\":1,\"text\":\"\(String(repeating: "x", count: 1000))\"}"
        let requests = (0..<200).map { _ in fixture.request(fixture.chain, payload: payload) }
        for request in requests { known.note(accepted: [request]) }
        let found = requests.map { !known.find([.completion($0.jobs[0].job.id, MeshID())]).isEmpty }
        #expect(found.last == true)
        #expect(found.first == false)
        #expect((15...45).contains(found.count { $0 }))
        let giant = fixture.request(fixture.chain, payload: "\"\(String(repeating: "x", count: 60_000))\"")
        known.note(accepted: [giant])
        #expect(known.find([.completion(giant.jobs[0].job.id, MeshID())]).isEmpty)
    }

    @Test("SQLite: two processes on one file", arguments: KnownRunScenario.all)
    func sqlite(_ scenario: KnownRunScenario) async throws {
        try await Self.withTwoFiles { mine, other in try await scenario.body(mine, other) }
    }

    @Test("SQLite: two processes in any order", arguments: 0..<6)
    func sqliteInterleaved(seed: Int) async throws {
        try await Self.withTwoFiles { mine, other in
            try await KnownRunScenario.interleave(mine, other, seed: UInt64(seed))
        }
    }

    private static func withTwoFiles(_ body: (LedgerFixture, LedgerFixture) async throws -> Void) async throws {
        let folder = try ScratchFolder()
        let path = folder.path + "/ledger.sqlite"
        let (left, right) = (try SQLiteLedger(path: path), try SQLiteLedger(path: path))
        try await left.migrate()
        try await body(
            LedgerFixture(ledger: left, advanceClock: nil),
            LedgerFixture(ledger: right, advanceClock: nil)
        )
        await left.close()
        await right.close()
    }
}

@Suite("What is known of a run is a hint: PostgreSQL's row decides", .needs(.postgres), .serialized)
struct PostgresKnownRunsTests {
    @Test("two processes", arguments: KnownRunScenario.all)
    func scenario(_ scenario: KnownRunScenario) async throws {
        try await withTwo { mine, other, _ in try await scenario.body(mine, other) }
    }

    @Test("two processes in any order", arguments: 0..<6)
    func interleaved(seed: Int) async throws {
        try await withTwo { mine, other, _ in
            try await KnownRunScenario.interleave(mine, other, seed: UInt64(seed))
        }
    }

    @Test("a known run is advanced without being locked or read")
    func readsNothing() async throws {
        try await withTwo { mine, _, ledger in
            _ = try await mine.accept(mine.chain)
            let outcomes = try await mine.work("alpha") { _ in .success("{\"a\":1}") }
            #expect(outcomes.flatMap(\.ready).count == 1)
            let ends = try await mine.work("beta") { _ in .success("{\"b\":1}") }
            #expect(ends.flatMap(\.finished).count == 1)
            let call = PostgresCall(.once("SELECT name FROM pg_prepared_statements"))
            let names = try await ledger.run(call, on: ledger.durable).map { row throws(LedgerError) in try row.text() }
            #expect(names.contains("advance"))
            #expect(!names.contains("lock_runs"))
        }
    }

    /// Two ledgers with one durable connection each, who have asked for the time as an API does.
    private func withTwo(
        _ body: (LedgerFixture, LedgerFixture, PostgresLedger) async throws -> Void
    ) async throws {
        try await PostgresTestSchema.with { schema in
            let (left, right) = (schema.ledger(poolSize: 1), schema.ledger(poolSize: 1))
            try await left.migrate()
            for ledger in [left, right] { _ = try await ledger.time() }
            try await body(
                LedgerFixture(ledger: left, advanceClock: nil),
                LedgerFixture(ledger: right, advanceClock: nil),
                left
            )
            await left.close()
            await right.close()
        }
    }
}
