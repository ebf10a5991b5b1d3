// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Logging
import MallaTestKit
import Plumbing
import Testing

@testable import LedgerPostgres

/// A schema of a test's own in the test database, dropped at its end.
struct PostgresTestSchema: Sendable {
    let name: String
    let url: String
    private let base: String

    init(base: String) async throws {
        self.base = base
        name = "malla_test_" + MeshID().description.filter { $0 != "-" }
        url = base + (base.contains("?") ? "&" : "?") + "options=-csearch_path%3D\(name)&application_name=\(name)"
        try await Self.execute("CREATE SCHEMA \(name)", url: base)
    }

    /// Makes one on the configured server and runs `body` with it.
    static func with<Value>(
        _ base: String? = TestServers.postgres,
        _ body: (PostgresTestSchema) async throws -> Value
    ) async throws -> Value {
        let schema = try await PostgresTestSchema(base: try #require(base))
        do {
            let value = try await body(schema)
            try await schema.drop()
            return value
        } catch {
            try await schema.drop()
            throw error
        }
    }

    func drop() async throws {
        try await Self.execute("SET client_min_messages = error; DROP SCHEMA \(name) CASCADE", url: base)
    }

    func ledger(poolSize: Int = 4) -> PostgresLedger {
        PostgresLedger(PostgresSettings(url: url, poolSize: poolSize), logger: Logger(label: "test"))
    }

    /// Runs statements, separated by semicolons, on a connection of their own.
    @discardableResult
    func execute(_ text: String) async throws -> [PostgresRows] { try await Self.execute(text, url: url) }

    @discardableResult
    static func execute(_ text: String, url: String) async throws -> [PostgresRows] {
        let connection = PostgresConnection()
        try await connection.open(PostgresSettings(url: url), isQuick: false)
        let calls = text.split(separator: ";").map { PostgresCall(.once(String($0))) }
        let rows = try await connection.run(calls, limit: .seconds(60))
        await connection.shut()
        return rows
    }

    /// Makes every moment in the rows that much older.
    func age(by duration: Duration) async throws {
        func older(_ table: String, _ columns: String...) -> String {
            let sets = columns.map { "\($0) = \($0) - interval '\(duration.wholeMicroseconds) microseconds'" }
            return "UPDATE \(table) SET " + sets.joined(separator: ", ")
        }
        try await execute(
            [
                older("jobs", "run_after", "started_at", "deadline", "finished_at", "lease_until"),
                older("workers", "beat_at"), older("callbacks", "due_at"), older("tasks", "deadline"),
            ].joined(separator: "; ")
        )
    }
}
