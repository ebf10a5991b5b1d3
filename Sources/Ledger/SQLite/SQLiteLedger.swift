// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Dispatch
import Foundation
import GRDB
public import Ledger
public import Plumbing
import Synchronization
import Workflow

/// The ledger in one SQLite file (WAL): for `malla dev`, for tests, and for a mesh on one machine.
///
/// Writes that wait together share one transaction and one fsync; see ``CommitQueue``. Several processes may open the
/// same file.
public final class SQLiteLedger: Ledger {
    let writer: any DatabaseWriter
    let clock: @Sendable () -> Timestamp
    let knownDefinitions = KnownDefinitions()
    /// The runs that wait for one job, which is completed without reading them.
    let knownRuns = KnownRuns()
    private let commits: CommitQueue
    private let isClosed = Mutex(false)

    /// Opens or makes the file; the caller migrates before anything else.
    ///
    /// It touches the disk: call it while starting up, not from a request.
    ///
    /// - Parameters:
    ///   - path: the file; its folder must be there.
    ///   - clock: the ledger's clock, to be replaced by tests.
    /// - Throws: ``LedgerError``.
    public convenience init(path: String, clock: @escaping @Sendable () -> Timestamp = { .now }) throws(LedgerError) {
        do {
            self.init(writer: try DatabasePool(path: path, configuration: Self.configuration), clock: clock)
        } catch {
            throw LedgerError(wrapping: error)
        }
    }

    /// Makes a ledger that lives in memory and is gone with this object.
    ///
    /// - Throws: ``LedgerError``.
    public static func inMemory(
        clock: @escaping @Sendable () -> Timestamp = { .now }
    ) throws(LedgerError) -> SQLiteLedger {
        do {
            return SQLiteLedger(writer: try DatabaseQueue(configuration: configuration), clock: clock)
        } catch {
            throw LedgerError(wrapping: error)
        }
    }

    private init(writer: any DatabaseWriter, clock: @escaping @Sendable () -> Timestamp) {
        self.writer = writer
        self.clock = clock
        commits = CommitQueue(writer: writer)
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        // Other processes may hold the write lock for a batch; a read never waits (WAL).
        configuration.busyMode = .timeout(10)
        configuration.label = "malla.ledger"
        configuration.prepareDatabase { db in
            // The log is moved into the file when it has 8,000 pages (32 MiB): a page that is written often, as those of
            // the indexes are, is moved once for all of them, and the writer stands still less often.
            try db.execute(
                sql: """
                    PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768;
                    PRAGMA wal_autocheckpoint = 8000; PRAGMA journal_size_limit = 67108864
                    """
            )
        }
        return configuration
    }

    /// Ends every connection once the calls under way are done.
    public func close() async {
        let wasClosed = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return isClosed
        }
        guard !wasClosed else { return }
        // `close()` waits for the connections' queues, so it may not run on the cooperative pool.
        let writer = writer
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                // A connection that can't be closed is closed with the process; there is nobody to tell.
                try? writer.close()
                continuation.resume()
            }
        }
    }

    // MARK: Transactions

    /// Reads in one snapshot.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(LedgerError) -> Value {
        try checkOpen()
        do {
            return try await writer.read(body)
        } catch {
            throw LedgerError(wrapping: error)
        }
    }

    /// Writes in a savepoint of its own, in one transaction with whatever else waits.
    ///
    /// - Parameter isDurable: false where losing the write to a power failure is harmless, because another rule
    ///   makes up for it: then nobody waits for the disk. It survives the death of the process either way.
    func write<Value: Sendable>(
        isDurable: Bool = true,
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(LedgerError) -> Value {
        try checkOpen()
        do {
            return try await commits.commit(isDurable: isDurable, body)
        } catch {
            throw LedgerError(wrapping: error)
        }
    }

    private func checkOpen() throws(LedgerError) {
        if isClosed.withLock({ $0 }) { throw LedgerError(.unavailable, "the ledger is closed") }
    }
}
