// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Logging
import Plumbing
import Synchronization
import Workflow

/// The ledger on PostgreSQL (14 or later), through libpq in pipeline mode.
///
/// Durable transactions and reads go through one pool; claims, beats and what else may be lost without harm go
/// through a small one whose commits do not wait for the disk. A call that fails as `unavailable` may have been
/// committed: every operation may be repeated.
public final class PostgresLedger: Ledger {
    let durable: PostgresPool
    let quick: PostgresPool
    let callLimit: Duration
    let logger: Logger
    let knownDefinitions = KnownDefinitions()
    /// The runs that wait for one job, so that its completion costs one round trip.
    let knownRuns = KnownRuns()
    /// What is known of the server's clock, so that settling need not ask it.
    let serverClock = Mutex(ClockAnchor())

    /// Makes a ledger; it connects when it is first used.
    public init(_ settings: PostgresSettings, logger: Logger) {
        durable = PostgresPool(settings, size: settings.poolSize, isQuick: false, logger: logger)
        quick = PostgresPool(settings, size: settings.quickPoolSize, isQuick: true, logger: logger)
        // The server ends a statement first; this is for a server that does not answer at all.
        callLimit = settings.statementTimeout + .seconds(10)
        self.logger = logger
    }

    /// Runs the missing migrations in one transaction under an advisory lock.
    public func migrate() async throws(LedgerError) {
        try await transaction { connection throws(LedgerError) in
            let limit = Duration.seconds(600)
            let opening = ["SET LOCAL statement_timeout = '10min'", PostgresMigration.lock, PostgresMigration.table]
            _ = try await connection.run(
                [PostgresCall(.begin)] + opening.map { PostgresCall(.once($0)) },
                limit: limit
            )
            let rows = try await connection.run(
                [PostgresCall(.once("SELECT coalesce(max(number), 0) FROM schema_migrations"))],
                limit: limit
            )
            let done = try rows[0].map { row throws(LedgerError) in try row.int() }.first ?? 0
            for migration in PostgresMigration.all where migration.number > done {
                let calls = migration.statements.map { PostgresCall(.once($0)) }
                let note = PostgresCall(
                    .once("INSERT INTO schema_migrations (number, name) VALUES ($1::int, $2::text)"),
                    [Int32(migration.number), migration.name]
                )
                _ = try await connection.run(calls + [note], limit: limit)
            }
            _ = try await connection.run([PostgresCall(.commit)], limit: limit)
        }
    }

    /// Asks the server for an answer.
    public func ping() async throws(LedgerError) {
        _ = try await run([PostgresCall(PostgresStatement("ping", "SELECT 1"))], on: quick, limit: .seconds(3))
    }

    /// Ends all connections.
    public func close() async {
        await durable.close()
        await quick.close()
    }

    // MARK: Running

    /// Runs calls as one transaction in one round trip.
    @discardableResult
    func run(
        _ calls: [PostgresCall],
        on pool: PostgresPool,
        limit: Duration? = nil
    ) async throws(LedgerError) -> [PostgresRows] {
        let limit = limit ?? callLimit
        return try await lease(pool) { connection throws(LedgerError) in
            try await connection.run(calls, limit: limit)
        }
    }

    /// Runs one call and returns its rows.
    func run(_ call: PostgresCall, on pool: PostgresPool) async throws(LedgerError) -> PostgresRows {
        let rows = try await run([call], on: pool)
        guard let first = rows.first else { throw LedgerError(.corrupt, "a statement without a result") }
        return first
    }

    /// Leases a durable connection for a transaction of several round trips; what fails is rolled back.
    ///
    /// The body runs on the connection's own thread: from one round trip to the next no other has to wake up.
    func transaction<Value: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws(LedgerError) -> Value
    ) async throws(LedgerError) -> Value {
        try await lease(durable, body)
    }

    /// Performs a body on a leased connection; a caller that is cancelled waits for its end all the same.
    func lease<Value: Sendable>(
        _ pool: PostgresPool,
        _ body: @Sendable (isolated PostgresConnection) async throws(LedgerError) -> Value
    ) async throws(LedgerError) -> Value {
        let connection = try await pool.lease()
        let result: Result<Value, LedgerError>
        do throws(LedgerError) {
            result = .success(try await body(connection))
        } catch {
            await connection.abandonTransaction()
            result = .failure(error)
        }
        await pool.give(back: connection)
        return try result.get()
    }

    /// Repeats what failed by a deadlock or a race, up to three tries.
    func retryingConflicts<Value: Sendable>(
        _ body: () async throws(LedgerError) -> Value
    ) async throws(LedgerError) -> Value {
        var tries = 1
        while true {
            do throws(LedgerError) {
                return try await body()
            } catch {
                guard error.code == .conflict, tries < 3 else { throw error }
                tries += 1
            }
        }
    }
}
