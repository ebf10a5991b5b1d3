// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Ledger
import Plumbing
import Testing
import Workflow

@testable import LedgerSQLite
@testable import MallaTestKit

@Suite("SQLite: payloads lie in the jobs' rows, or beside them")
struct SQLitePayloadTests {
    /// How many lie beside the rows.
    private func beside(_ ledger: SQLiteLedger) async throws -> Int? {
        try await ledger.execute(
            script: """
                INSERT OR REPLACE INTO documents
                SELECT 'payloads', 1, CAST(CAST(count(*) AS TEXT) AS BLOB) FROM payloads
                """
        )
        return Int(String(decoding: try #require(try await ledger.document("payloads")).bytes, as: UTF8.self))
    }

    private func ledger() async throws -> SQLiteLedger {
        let ledger = try SQLiteLedger.inMemory()
        try await ledger.migrate()
        return ledger
    }

    @Test(
        "whatever their size, they are read as they were written, and go with their jobs",
        arguments: [0, 256, 257, 300_000]
    )
    func sizes(_ size: Int) async throws {
        let ledger = try await ledger()
        let (input, result) = ([UInt8](repeating: 1, count: size), [UInt8](repeating: 2, count: size))
        let job = Job(id: MeshID(), service: "alpha", createdAt: .now)
        try await ledger.create([JobRecord(job: job, input: input)])
        let lease = LeaseID()
        let claimed = try await ledger.claim(service: "alpha", worker: "w", leases: [lease])
        #expect(claimed.map(\.input) == [input])
        let stale = Settlement(job: job.id, event: .completed(lease: LeaseID()), result: result)
        let settled = Settlement(job: job.id, event: .completed(lease: lease), result: result)
        let outcome = try await ledger.settle([stale, settled, settled], tasks: [], finishing: DirectFinishing())
        #expect(outcome.verdicts == [.stale, .applied(.succeeded), .stale])
        let record = try #require(try await ledger.job(job.id))
        #expect(record.input == input && record.result == result)
        #expect(try await beside(ledger) == (size > 256 ? 2 : 0))
        #expect(try await ledger.sweep(finishedBefore: .now + .seconds(1), limit: 10) == 1)
        #expect(try await beside(ledger) == 0)
    }

    @Test("a stage gets the outputs of the stage before it, and what a task took goes with it", arguments: [10, 1000])
    func chain(_ size: Int) async throws {
        let ledger = try await ledger()
        let fixture = try await LedgerFixture(ledger: ledger, advanceClock: nil)
        let word = "\"" + String(repeating: "x", count: size) + "\""
        let task = try await fixture.accept(fixture.chain, payload: "{\"n\":3,\"word\":\(word)}")
        for service in ["alpha", "beta", "alpha", "beta"] {
            _ = try await fixture.work(service) { _ in .success("{\"word\":\(word)}") }
        }
        let view = try await fixture.view(task)
        #expect(view.task.state == .succeeded)
        for job in try await ledger.jobs(ofTask: task, limit: 10) {
            #expect(try await ledger.job(job.id)?.result == Array("{\"word\":\(word)}".utf8))
        }
        _ = try await fixture.deliverCallbacks(of: "contract")
        #expect(try await ledger.sweep(finishedBefore: .now + .seconds(1), limit: 10) == 1)
        #expect(try await beside(ledger) == 0)
    }
}
