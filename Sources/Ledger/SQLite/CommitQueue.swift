// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import GRDB
import Ledger
import Plumbing

/// Group commit: all writes that wait are performed in one transaction, each in a savepoint of its own.
///
/// One write that fails is undone alone. A commit that fails fails them all, and none of them has happened.
final class CommitQueue: Sendable {
    private struct Write: Sendable {
        var isDurable: Bool
        var body: @Sendable (Database) throws -> any Sendable
    }

    private let batcher: Batcher<Write, any Sendable>

    init(writer: any DatabaseWriter) {
        batcher = Batcher(maxSize: 256) { writes in
            do {
                return try await writer.writeWithoutTransaction { db in try Self.perform(writes, db) }
            } catch {
                return writes.map { _ in .failure(error) }
            }
        }
    }

    func commit<Value: Sendable>(
        isDurable: Bool,
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        let value = try await batcher.submit(Write(isDurable: isDurable, body: body))
        guard let value = value as? Value else { throw LedgerError(.misuse, "a write returned another type") }
        return value
    }

    private static func perform(_ writes: [Write], _ db: Database) throws -> [Result<any Sendable, any Error>] {
        // A durable commit also makes the earlier, unsynchronized ones durable: they stand before it in the WAL.
        let isDurable = writes.contains(where: \.isDurable)
        try db.execute(sql: isDurable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL")
        var results: [Result<any Sendable, any Error>] = []
        try db.inTransaction(.immediate) {
            for write in writes {
                results.append(Result { try inSavepoint(db, write.body) })
                guard db.isInsideTransaction else {
                    // Some errors (a full disk) make SQLite roll the whole transaction back.
                    if case .failure(let error)? = results.last { throw error }
                    throw LedgerError(.conflict, "the transaction was rolled back")
                }
            }
            return .commit
        }
        return results
    }

    private static func inSavepoint(
        _ db: Database,
        _ body: @Sendable (Database) throws -> any Sendable
    ) throws -> any Sendable {
        var value: (any Sendable)?
        try db.inSavepoint {
            value = try body(db)
            return .commit
        }
        guard let value else { throw LedgerError(.misuse, "a write returned nothing") }
        return value
    }
}
