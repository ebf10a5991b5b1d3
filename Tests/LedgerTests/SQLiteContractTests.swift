// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Ledger
import LedgerSQLite
import MallaTestKit
import Plumbing
import Synchronization
import Testing
import Workflow

/// The real clock, and how far a test has moved it on.
final class MovableClock: Sendable {
    private let moved = Mutex(Duration.zero)

    func now() -> Timestamp { .now + moved.withLock { $0 } }

    func advance(by duration: Duration) { moved.withLock { $0 += duration } }
}

/// A folder that is removed with its last reference.
final class ScratchFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("malla-\(MeshID())").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite("SQLite keeps the ledger's contract")
struct SQLiteContractTests {
    @Test("in a file", arguments: LedgerContract.cases)
    func inFile(_ contractCase: LedgerContract.Case) async throws {
        let folder = try ScratchFolder()
        let clock = MovableClock()
        try await LedgerContract(make: {
            (try SQLiteLedger(path: folder.path + "/ledger.sqlite", clock: clock.now), clock.advance)
        }).run(contractCase)
    }

    @Test("in memory", arguments: LedgerContract.cases)
    func inMemory(_ contractCase: LedgerContract.Case) async throws {
        let clock = MovableClock()
        try await LedgerContract(make: { (try SQLiteLedger.inMemory(clock: clock.now), clock.advance) }).run(
            contractCase
        )
    }
}
