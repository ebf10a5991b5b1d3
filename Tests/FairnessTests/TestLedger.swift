// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import LedgerSQLite
import Logging
import MallaTestKit
import Plumbing
import Testing

@testable import LedgerPostgres

/// A fresh ledger of each kind, gone after the test.
enum TestLedger {
    static func sqlite(_ body: (any Ledger) async throws -> Void) async throws {
        let ledger = try SQLiteLedger.inMemory(clock: { .now })
        try await run(ledger, body)
    }

    static func postgres(_ body: (any Ledger) async throws -> Void) async throws {
        let base = try #require(TestServers.postgres)
        let name = "malla_test_" + MeshID().description.filter { $0 != "-" }
        try await execute("CREATE SCHEMA \(name)", base)
        let url = base + (base.contains("?") ? "&" : "?") + "options=-csearch_path%3D\(name)"
        let ledger = PostgresLedger(PostgresSettings(url: url, poolSize: 4), logger: Logger(label: "test"))
        do {
            try await run(ledger, body)
        } catch {
            try await execute("SET client_min_messages = error; DROP SCHEMA \(name) CASCADE", base)
            throw error
        }
        try await execute("SET client_min_messages = error; DROP SCHEMA \(name) CASCADE", base)
    }

    private static func run(_ ledger: any Ledger, _ body: (any Ledger) async throws -> Void) async throws {
        try await ledger.migrate()
        do {
            try await body(ledger)
        } catch {
            await ledger.close()
            throw error
        }
        await ledger.close()
    }

    private static func execute(_ text: String, _ url: String) async throws {
        let connection = PostgresConnection()
        try await connection.open(PostgresSettings(url: url), isQuick: false)
        let calls = text.split(separator: ";").map { PostgresCall(.once(String($0))) }
        _ = try await connection.run(calls, limit: .seconds(60))
        await connection.shut()
    }
}
