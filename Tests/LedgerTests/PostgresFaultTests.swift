// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import LedgerPostgres

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What happens when connections break and the server dies.
@Suite(.needs(.postgres), .serialized)
struct PostgresFaultTests {
    private func job(_ service: String = "alpha") -> JobRecord {
        JobRecord(job: Job(id: MeshID(), service: service, createdAt: .now), input: Array("{}".utf8))
    }

    /// Repeats a call while it fails in a way that may pass, as callers do.
    private func persisting<Value: Sendable>(
        _ body: @Sendable () async throws(LedgerError) -> Value
    ) async throws -> Value {
        let end = ContinuousClock.now + .seconds(60)
        while true {
            do {
                return try await body()
            } catch {
                guard error.isRetriable, ContinuousClock.now < end else { throw error }
                // The pool's own back-off paces the next try; this only keeps a failing lease from spinning.
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    @Test func connectionsThatBreakUnderLoadLoseNothing() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            let records = (0..<400).map { _ in job() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for record in records {
                    group.addTask {
                        _ = try await persisting { () async throws(LedgerError) in try await ledger.create([record]) }
                    }
                }
                group.addTask {
                    for _ in 0..<5 {
                        try await schema.execute(
                            """
                            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                            WHERE pid <> pg_backend_pid() AND application_name = '\(schema.name)'
                            """
                        )
                    }
                }
                try await group.waitForAll()
            }
            let loads = try await persisting { () async throws(LedgerError) in try await ledger.loads(of: ["alpha"]) }
            #expect(loads.first?.due == 400)
            await ledger.close()
        }
    }

    /// As when its process is frozen there: nothing has locked the jobs yet, so they are claimed meanwhile.
    @Test func aCancelHeldUpInItsTransactionEndsJobsWhenItWritesNotBefore() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            let fixture = try await LedgerFixture(ledger: ledger, advanceClock: nil)
            let task = try await fixture.accept(fixture.fanAll, payload: "{\"n\":3}")
            let held = HeldFinishing()
            async let settled = ledger.settle(
                [],
                tasks: [TaskSettlement(task: task, event: .cancelled)],
                finishing: held
            )
            for await _ in held.reached { break }
            let claimed = try await fixture.claimOne()
            held.goOn.signal()
            let outcome = try await settled
            #expect(outcome.cancelled.map(\.id) == [claimed.job.id])
            for job in try await ledger.jobs(ofTask: task, limit: 3) {
                let end = try #require(job.finishedAt)
                #expect(job.state == .cancelled && end > job.startedAt ?? job.createdAt)
            }
            await ledger.close()
        }
    }

    @Test(.needs(.privateServers)) func whatWasAcceptedOutlivesAKilledServer() async throws {
        // Servers of this test's own: others use the shared ones meanwhile.
        let folder = "/tmp/malla-ledger-\(MeshID())"
        #expect(script(["start", folder]) == 0)
        defer {
            _ = script(["stop", folder])
            _ = try? FileManager.default.removeItem(atPath: folder)
        }
        let schema = try await PostgresTestSchema(base: try #require(try postgresURL(in: folder)))
        let ledger = schema.ledger()
        try await ledger.migrate()
        let (progress, report) = AsyncStream<JobID>.makeStream()
        let load = Task { () -> [JobID] in
            var written: [JobID] = []
            for _ in 0..<300 {
                let record = job()
                _ = try await persisting { () async throws(LedgerError) in try await ledger.create([record]) }
                written.append(record.job.id)
                report.yield(record.job.id)
            }
            report.finish()
            return written
        }
        var count = 0
        for await _ in progress {
            count += 1
            guard count == 50 else { continue }
            let line = try String(contentsOfFile: "\(folder)/pids/postgres", encoding: .utf8)
            let pid = try #require(line.split(separator: " ").first.flatMap { pid_t($0) })
            #expect(kill(pid, SIGKILL) == 0)
            _ = script(["down", folder, "postgres"])
            try #require(script(["up", folder, "postgres"]) == 0)
        }
        let written = try await load.value
        #expect(written.count == 300)
        for id in written {
            let record = try await persisting { () async throws(LedgerError) in try await ledger.job(id) }
            #expect(record != nil)
        }
        let loads = try await persisting { () async throws(LedgerError) in try await ledger.loads(of: ["alpha"]) }
        #expect(loads.first?.due == 300)
        await ledger.close()
        try await schema.drop()
    }

    @Test(.needs(.privateServers)) func aStoppedServerIsGivenUp() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.ping()
            let rows = try await ledger.run(
                PostgresCall(.once("SELECT pg_backend_pid()")),
                on: ledger.quick
            )
            let backend = try #require(try rows.map { row throws(LedgerError) in try row.int() }.first)
            #expect(kill(pid_t(backend), SIGSTOP) == 0)
            let began = ContinuousClock.now
            let error = await #expect(throws: LedgerError.self) { try await ledger.ping() }
            #expect(error?.code == .timeout)
            #expect(ContinuousClock.now - began < .seconds(6))
            #expect(kill(pid_t(backend), SIGCONT) == 0)
            try await ledger.ping()
            await ledger.close()
        }
    }

    /// The PostgreSQL address in the file `env` of private servers.
    private func postgresURL(in folder: String) throws -> String? {
        let lines = try String(contentsOfFile: "\(folder)/env", encoding: .utf8).split(separator: "\n")
        let prefix = "export MALLA_TEST_POSTGRES_URL=\""
        return lines.first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count).dropLast()) }
    }

    /// Runs `scripts/servers.sh`, waits for its end and returns its status.
    ///
    /// Not with `Process`: that waits for the server as well, which inherits its descriptors.
    private func script(_ arguments: [String]) -> Int32 {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let words = [root.appending(path: "scripts/servers.sh").path()] + arguments
        return system(words.map { "'\($0)'" }.joined(separator: " ") + " >/dev/null 2>&1")
    }
}
