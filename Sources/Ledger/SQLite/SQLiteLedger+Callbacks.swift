// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
public import Ledger
public import Plumbing
public import Workflow

extension SQLiteLedger {
    /// Takes due callbacks for a while.
    public func takeCallbacks(
        apps: [String],
        limit: Int,
        hold: Duration
    ) async throws(LedgerError) -> [CallbackRecord] {
        guard !apps.isEmpty, limit > 0 else { return [] }
        // Losing a hold to a power failure only means that a callback is sent twice, as receivers must expect.
        return try await write(isDurable: false) { [self] db in
            let now = clock()
            let until = now + hold
            let marks = databaseQuestionMarks(count: apps.count)
            var due = try db.rows(
                """
                SELECT \(CallbackRows.columns) FROM callbacks
                WHERE state = 'pending' AND due_at <= ? AND app IN (\(marks)) ORDER BY due_at, id LIMIT ?
                """,
                StatementArguments([now.microseconds] + apps + [limit]),
                CallbackRows.callback
            )
            for index in due.indices {
                due[index].dueAt = until
                try db.run("UPDATE callbacks SET due_at = ? WHERE id = ?", [until.microseconds, due[index].id.blob])
            }
            return due
        }
    }

    /// The moment by the clock of this ledger.
    public func time() async throws(LedgerError) -> Timestamp { clock() }

    /// Keeps callbacks for `hold` from now.
    public func holdCallbacks(_ ids: [MeshID], for hold: Duration) async throws(LedgerError) {
        guard !ids.isEmpty else { return }
        try await write(isDurable: false) { [self] db in
            let now = clock()
            for id in ids {
                // Never earlier than it is due: an attempt may have been recorded meanwhile.
                try db.run(
                    """
                    UPDATE callbacks SET due_at = max(due_at, ?1)
                    WHERE id = ?2 AND state = 'pending' AND due_at > ?3
                    """,
                    [(now + hold).microseconds, id.blob, now.microseconds]
                )
            }
        }
    }

    /// Makes held callbacks due now.
    public func releaseCallbacks(_ held: [HeldCallback]) async throws(LedgerError) {
        guard !held.isEmpty else { return }
        try await write(isDurable: false) { [self] db in
            let now = clock().microseconds
            for callback in held {
                try db.run(
                    "UPDATE callbacks SET due_at = ? WHERE id = ? AND state = 'pending' AND due_at = ?",
                    [now, callback.id.blob, callback.dueAt.microseconds]
                )
            }
        }
    }

    /// Records attempts.
    public func record(
        _ attempts: [(attempt: CallbackAttempt, state: CallbackRecord.State, dueIn: Duration?)]
    ) async throws(LedgerError) {
        guard !attempts.isEmpty else { return }
        // The next attempt of a callback builds upon the one before.
        let sorted = attempts.sorted { $0.attempt.number < $1.attempt.number }
        try await write { [self] db in
            let now = clock()
            for (attempt, state, dueIn) in sorted {
                try CallbackRows.insert(attempt, db)
                // What was delivered stays delivered. An attempt that others have overtaken, above all a replay,
                // changes nothing, unless it did deliver what another process has tried as well.
                try db.run(
                    """
                    UPDATE callbacks SET state = ?1, attempts = max(attempts, ?2), due_at = coalesce(?3, due_at)
                    WHERE id = ?4 AND state <> 'delivered'
                        AND (attempts = ?2 - 1 OR (?1 = 'delivered' AND attempts >= ?2))
                    """,
                    [
                        state.rawValue, attempt.number, dueIn.map { (now + $0).microseconds }, attempt.callback.blob,
                    ]
                )
            }
        }
    }

    /// The callbacks of a task with their attempts.
    public func callbacks(
        of task: TaskID
    ) async throws(LedgerError) -> [(callback: CallbackRecord, attempts: [CallbackAttempt])] {
        try await read { db in
            let callbacks = try db.rows(
                "SELECT \(CallbackRows.columns) FROM callbacks WHERE task = ? ORDER BY created_at, id",
                [task.blob],
                CallbackRows.callback
            )
            return try callbacks.map { ($0, try CallbackRows.attempts(of: $0.id, db)) }
        }
    }

    /// Makes a task's callbacks due now.
    public func replayCallbacks(of task: TaskID) async throws(LedgerError) -> Int {
        try await write { [self] db in
            try db.run(
                "UPDATE callbacks SET state = 'pending', attempts = 0, due_at = ? WHERE task = ?",
                [clock().microseconds, task.blob]
            )
            return db.changesCount
        }
    }
}
