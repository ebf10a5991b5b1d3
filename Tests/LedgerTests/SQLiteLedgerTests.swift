// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Ledger
import LedgerSQLite
import MallaTestKit
import Plumbing
import Testing
import Workflow

@Suite("SQLite's own: files, several openers, group commit")
struct SQLiteLedgerTests {
    @Test("two openers of one file migrate at once and see each other's work")
    func twoOpeners() async throws {
        let folder = try ScratchFolder()
        let path = folder.path + "/ledger.sqlite"
        let (left, right) = (try SQLiteLedger(path: path), try SQLiteLedger(path: path))
        async let one: Void = left.migrate()
        async let two: Void = right.migrate()
        _ = try await (one, two)
        let fixture = try await LedgerFixture(ledger: left, advanceClock: nil)
        let jobs = try await fixture.create(200)
        let claimed = try await withThrowingTaskGroup(of: [JobID].self) { group in
            for ledger in [left, right, left, right] {
                group.addTask {
                    var mine: [JobID] = []
                    while true {
                        let records = try await ledger.claim(
                            service: "alpha",
                            worker: "w",
                            leases: (0..<7).map { _ in MeshID() }
                        )
                        if records.isEmpty { return mine }
                        mine += records.map(\.job.id)
                    }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(claimed.count == 200)
        #expect(Set(claimed) == Set(jobs.map(\.id)))
        await left.close()
        await right.close()
    }

    @Test("what was written is there after the file is opened again")
    func reopening() async throws {
        let folder = try ScratchFolder()
        let path = folder.path + "/ledger.sqlite"
        let first = try SQLiteLedger(path: path)
        try await first.migrate()
        let fixture = try await LedgerFixture(ledger: first, advanceClock: nil)
        let task = try await fixture.accept(fixture.chain, payload: "{\"x\":1}")
        let claimed = try await fixture.claimOne()
        await first.close()
        let second = try SQLiteLedger(path: path)
        try await second.migrate()
        let outcome = try await second.settle(
            [.completion(claimed.job.id, claimed.lease)],
            tasks: [],
            finishing: LedgerRunFinishing()
        )
        #expect(outcome.ready.map(\.service) == ["beta"])
        #expect(try await second.task(task)?.stageNames == ["first", "second"])
        await second.close()
    }

    @Test("the log of a file that is written to without a pause stays small")
    func logStaysSmall() async throws {
        let folder = try ScratchFolder()
        let path = folder.path + "/ledger.sqlite"
        let ledger = try SQLiteLedger(path: path)
        try await ledger.migrate()
        let fixture = try await LedgerFixture(ledger: ledger, advanceClock: nil)
        let payload = "{\"x\":\"" + String(repeating: "y", count: 1 << 20) + "\"}"
        var largest = 0
        for _ in 0..<100 {
            _ = try await fixture.accept(fixture.chain, payload: payload)
            let size = try FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int
            largest = max(largest, try #require(size))
        }
        // 8,000 pages of 4 KiB, and what the commit that reached them added.
        #expect(largest > 16 << 20)
        #expect(largest < 48 << 20)
        await ledger.close()
    }

    @Test("a write that fails spoils no other of its batch")
    func oneBadWrite() async throws {
        let ledger = try SQLiteLedger.inMemory()
        try await ledger.migrate()
        let fixture = try await LedgerFixture(ledger: ledger, advanceClock: nil)
        let twice = try await fixture.create(1)[0]
        let codes = await withTaskGroup(of: LedgerError.Code?.self) { group in
            for index in 0..<100 {
                let isBad = index.isMultiple(of: 10)
                group.addTask {
                    let fresh = Job(id: MeshID(), service: "beta", createdAt: .now)
                    let records = [fresh] + (isBad ? [twice] : [])
                    do {
                        try await ledger.create(records.map { JobRecord(job: $0, input: [0x31]) })
                        return nil
                    } catch {
                        return (error as? LedgerError)?.code
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.count { $0 == .misuse } == 10)
        #expect(codes.count { $0 == nil } == 90)
        #expect(try await ledger.loads(of: ["beta"]).first?.waiting == 90)
        await ledger.close()
    }

    @Test("a file that can't be made is unavailable, one that is no database is corrupt")
    func badFile() throws {
        let folder = try ScratchFolder()
        let text = folder.path + "/text"
        try Array(repeating: "no database ", count: 1000).joined().write(
            toFile: text,
            atomically: true,
            encoding: .utf8
        )
        for (path, code) in [
            (folder.path, LedgerError.Code.unavailable), (folder.path + "/missing/ledger.sqlite", .unavailable),
            (text, .corrupt),
        ] {
            let error = #expect(throws: LedgerError.self) { _ = try SQLiteLedger(path: path) }
            #expect(error?.code == code, "\(path)")
        }
    }

    @Test("2,000 tasks accepted one by one at once run to their ends")
    func manyTasks() async throws {
        let folder = try ScratchFolder()
        let ledger = try SQLiteLedger(path: folder.path + "/ledger.sqlite")
        try await ledger.migrate()
        let fixture = try await LedgerFixture(ledger: ledger, advanceClock: nil)
        let requests = (0..<2000).map { _ in fixture.request(fixture.chain, payload: "{\"x\":1}") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for request in requests { group.addTask { _ = try await ledger.accept([request]) } }
            try await group.waitForAll()
        }
        var finished = 0
        for service in ["alpha", "beta"] {
            finished += try await fixture.work(service, batch: 100) { _ in .success("{}") }.flatMap(\.finished).count
        }
        #expect(finished == 2000)
        await ledger.close()
    }
}
