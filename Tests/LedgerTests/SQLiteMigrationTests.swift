// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import LedgerSQLite

@Suite("SQLite's migrations: a file of an earlier version")
struct SQLiteMigrationTests {
    private static let task = MeshID(high: 7, low: 1)
    private static let ofTask = MeshID(high: 8, low: 1)
    private static let failed = MeshID(high: 8, low: 2)

    private static func hex(_ bytes: [UInt8]) -> String {
        "x'" + bytes.map { String(format: "%02x", $0) }.joined() + "'"
    }

    private static func job(_ id: JobID, task: String, state: String, error: JobError?, finished: String) -> String {
        """
        INSERT INTO jobs (id, task, app, service, state, attempt, failures, deaths, orphaned, max_attempts,
            backoff_base, backoff_cap, backoff_jitter, timeout, rank, created_at, finished_at, error, input, usage)
        VALUES (\(hex(id.bytes)), \(task), 'contract', 'alpha', '\(state)', 1, 2, 1, 4, 3, 1000000, 2000000, 0.5,
            3000000, 77, 1000, \(finished), \(error.map { hex($0.json.bytes) } ?? "NULL"), x'22692200ff22',
            \(hex(Array("{\"gpu_ms\":9}".utf8))));
        """
    }

    /// A file as migrations 1 and 2 leave it, with a task and two jobs.
    private static let older = """
        DROP TABLE definitions; DROP TABLE tasks; DROP TABLE runs; DROP TABLE jobs; DROP TABLE callbacks;
        DROP TABLE attempts; DROP TABLE workers; DROP TABLE swept; DROP TABLE documents; DROP TABLE fair_tails;
        DELETE FROM grdb_migrations WHERE identifier NOT LIKE '1-%' AND identifier NOT LIKE '2-%';
        \(SQLiteLedger.tables)
        \(SQLiteLedger.indexes)
        INSERT INTO tasks (id, app, method, user, role, request, fingerprint, definition, state, created_at, deadline,
            payload)
        VALUES (\(hex(task.bytes)), 'contract', 'chain', 'ada', 'user', 'r', x'01', 'h', 'running', 1, 2, x'7b7d');
        INSERT INTO workers (worker, name, services, slots, running, draining, beat_at, started_at)
        VALUES ('w1', 'w', x'5b5d', 1, 0, 0, \(Timestamp.now.microseconds), 1);
        \(job(ofTask, task: hex(task.bytes), state: "waiting", error: nil, finished: "NULL"))
        \(job(failed, task: "NULL", state: "failed", error: JobError(.provider, "no\u{0}"), finished: "5000"))
        """

    @Test("what it holds is there after the migration, and can be looked for")
    func older() async throws {
        let folder = try ScratchFolder()
        let path = folder.path + "/ledger.sqlite"
        let before = try SQLiteLedger(path: path)
        try await before.migrate()
        try await before.execute(script: Self.older)
        await before.close()
        let ledger = try SQLiteLedger(path: path)
        try await ledger.migrate()
        try await ledger.migrate()
        let record = try #require(try await ledger.job(Self.failed))
        #expect(record.input == [0x22, 0x69, 0x22, 0, 0xFF, 0x22] && record.result == nil)
        #expect(record.usage == Array("{\"gpu_ms\":9}".utf8))
        let job = record.job
        #expect(job.state == .failed && job.labels == nil)
        let error = try #require(job.error)
        #expect(error == JobError(.provider, "no\u{0}"))
        let counts: [Int] = [job.attempt, job.failures, job.deaths, job.orphaned, job.maxAttempts]
        #expect(counts == [1, 2, 1, 4, 3])
        #expect(job.rank == 77 && job.timeout == .seconds(3) && job.leaseUntil == nil)
        #expect(try await ledger.loads(ofUsers: ["contract/ada"]) == [UserLoad(user: "contract/ada", waiting: 1)])
        let statistics = try await ledger.statistics(JobStatisticsQuery())
        #expect(statistics.map(\.errors) == [[.provider: 1]] && statistics.first?.usage.gpuMilliseconds == 18)
        #expect(try await ledger.workers().map(\.beat.isRemote) == [false])
        #expect(try await ledger.attempts(ofJob: Self.failed) == [])
        let claimed = try await ledger.claim(service: "alpha", worker: "w1", leases: [MeshID()])
        #expect(claimed.map(\.job.id) == [Self.ofTask] && claimed.first?.job.task == Self.task)
        await ledger.close()
    }
}
