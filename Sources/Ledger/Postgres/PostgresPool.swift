// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import CPostgres
import Ledger
import Logging
import Plumbing
import Synchronization

/// Connections of one kind, leased one call at a time; who finds none free waits in line.
final class PostgresPool: Sendable {
    /// What a waiter gets: a connection, or the leave to open one.
    private enum Slot: Sendable {
        case connection(PostgresConnection)
        case leave
    }

    private struct State {
        var idle: [PostgresConnection] = []
        var waiters: [OneShot<Slot>] = []
        var open = 0
        var failures = 0
        var nextTry = ContinuousClock.now
        var isClosed = false
    }

    private let settings: PostgresSettings
    private let size: Int
    private let isQuick: Bool
    private let logger: Logger
    private let state = Mutex(State())
    private static let backoff = Backoff(base: .milliseconds(50), cap: .seconds(1))

    /// Makes an empty pool.
    ///
    /// - Parameter isQuick: whether commits may return before they are on the disk.
    init(_ settings: PostgresSettings, size: Int, isQuick: Bool, logger: Logger) {
        self.settings = settings
        self.size = size
        self.isQuick = isQuick
        self.logger = logger
    }

    /// Lends a connection; give it back with ``give(back:)`` whatever happens.
    func lease() async throws(LedgerError) -> PostgresConnection {
        let waiter = OneShot<Slot>()
        var stale: [PostgresConnection] = []
        let slot = state.withLock { state -> Result<Slot, LedgerError>? in
            if state.isClosed { return .failure(LedgerError(.unavailable, "the ledger is closed")) }
            while let connection = state.idle.popLast() {
                if connection.isUsable.load(ordering: .acquiring) { return .success(.connection(connection)) }
                state.open -= 1
                stale.append(connection)
            }
            if state.open < size {
                state.open += 1
                return .success(.leave)
            }
            state.waiters.append(waiter)
            return nil
        }
        for connection in stale { await connection.shut() }
        let granted: Slot
        if let slot { granted = try slot.get() } else { granted = try await wait(for: waiter) }
        switch granted {
        case .connection(let connection): return connection
        case .leave: return try await open()
        }
    }

    private func wait(for waiter: OneShot<Slot>) async throws(LedgerError) -> Slot {
        let limit = settings.leaseTimeout
        let alarm = waiter.finish(
            after: limit,
            with: .failure(LedgerError(.unavailable, "no connection became free within \(limit)"))
        )
        defer { alarm.lift() }
        do {
            return try await waiter.valueInAnyCase()
        } catch {
            throw error as? LedgerError ?? LedgerError(.unavailable, "\(error)")
        }
    }

    private func open() async throws(LedgerError) -> PostgresConnection {
        let pause = state.withLock { $0.nextTry } - .now
        // A sleep that cancellation cuts short only means an earlier try.
        if pause > .zero { try? await Task.sleep(for: pause) }
        let connection = PostgresConnection()
        do throws(LedgerError) {
            try await connection.open(settings, isQuick: isQuick)
            _ = try await connection.run([Self.preparation(settings, isQuick: isQuick)], limit: .seconds(10))
        } catch {
            await connection.shut()
            let failures = state.withLock { state in
                state.failures += 1
                state.nextTry = .now + Self.backoff.delay(afterFailures: state.failures)
                return state.failures
            }
            pass(.leave)
            // Said once: a server that restarts is tried by many.
            logger.log(
                level: failures == 1 ? .warning : .debug,
                "no connection to PostgreSQL",
                metadata: [LogKey.error: "\(error)", LogKey.count: "\(failures)"]
            )
            throw error
        }
        let failures = state.withLock { state in
            defer { state.failures = 0 }
            return state.failures
        }
        if failures > 0 { logger.info("PostgreSQL answers again", metadata: [LogKey.count: "\(failures)"]) }
        return connection
    }

    /// What every session starts with.
    ///
    /// Plans are forced to go by indexes: on a new table without statistics PostgreSQL likes to read it all, and a
    /// generic plan made then stays when the table has grown. And a page costs the same wherever it lies: or an index that
    /// holds all jobs of a service looks cheaper than one that holds only those that run, if the table is in its order.
    private static func preparation(_ settings: PostgresSettings, isQuick: Bool) -> PostgresCall {
        let values = [
            "statement_timeout": "\(settings.statementTimeout.wholeMilliseconds)",
            "idle_in_transaction_session_timeout": "60000", "synchronous_commit": isQuick ? "off" : "on",
            "plan_cache_mode": "force_generic_plan", "jit": "off", "enable_seqscan": "off",
            "enable_bitmapscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "random_page_cost": "1",
            "timezone": "UTC",
        ]
        let sets = values.map { "set_config('\($0.key)', '\($0.value)', false)" }
        return PostgresCall(.once("SELECT " + sets.joined(separator: ", ")))
    }

    /// Takes a connection back.
    func give(back connection: PostgresConnection) async {
        let isClosed = state.withLock { $0.isClosed }
        if isClosed || !connection.isUsable.load(ordering: .acquiring) {
            await connection.shut()
            pass(.leave)
        } else {
            pass(.connection(connection))
        }
    }

    /// Hands a slot to whoever waits longest, or keeps it.
    private func pass(_ slot: Slot) {
        while true {
            let waiter = state.withLock { state -> OneShot<Slot>? in
                if !state.waiters.isEmpty { return state.waiters.removeFirst() }
                switch slot {
                case .connection(let connection): state.idle.append(connection)
                case .leave: state.open -= 1
                }
                return nil
            }
            // A waiter that gave up meanwhile leaves the slot to the next.
            if waiter?.finish(.success(slot)) != false { return }
        }
    }

    /// Ends idle connections and refuses new leases; leased ones end when they come back.
    func close() async {
        let (idle, waiters) = state.withLock { state in
            state.isClosed = true
            defer {
                state.open -= state.idle.count
                state.idle = []
                state.waiters = []
            }
            return (state.idle, state.waiters)
        }
        for waiter in waiters { waiter.finish(.failure(LedgerError(.unavailable, "the ledger is closed"))) }
        for connection in idle { await connection.shut() }
    }
}
