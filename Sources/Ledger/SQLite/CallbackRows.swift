// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
import Ledger
import Plumbing
import Workflow

/// The rows of `callbacks` and `attempts`.
enum CallbackRows {
    /// In the order of ``callback(_:)``.
    static let columns = "id, task, app, url, trusted, headers, state, attempts, due_at, created_at, body"

    static func insert(_ callback: CallbackRecord, _ db: Database) throws {
        let headers = JSON.array(callback.headers.map { .array([.string($0.name), .string($0.value)]) })
        try db.run(
            "INSERT INTO callbacks (\(columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                callback.id.blob, callback.task.blob, callback.app, callback.url, callback.isTrusted,
                headers.bytes.blob, callback.state.rawValue, callback.attempts, callback.dueAt.microseconds,
                callback.createdAt.microseconds, callback.body.blob,
            ]
        )
    }

    static func callback(_ row: Row) throws -> CallbackRecord {
        let headers = (try JSON(parsing: row.bytes(5) ?? []).array ?? []).compactMap { pair -> (String, String)? in
            guard let pair = pair.array, pair.count == 2, let name = pair[0].string, let value = pair[1].string else {
                return nil
            }
            return (name, value)
        }
        var callback = CallbackRecord(
            id: try row.some(try row.meshID(0)),
            task: try row.some(try row.meshID(1)),
            app: try row.some(row[2] as String?),
            url: try row.some(row[3] as String?),
            isTrusted: try row.some(row[4] as Bool?),
            headers: headers,
            body: try row.bytes(10) ?? [],
            dueAt: try row.some(row.moment(8)),
            createdAt: try row.some(row.moment(9))
        )
        callback.state = try row.some((row[6] as String?).flatMap(CallbackRecord.State.init(rawValue:)))
        callback.attempts = try row.some(row[7] as Int?)
        return callback
    }

    static func attempts(of callback: MeshID, _ db: Database) throws -> [CallbackAttempt] {
        try db.rows(
            "SELECT number, started_at, duration, status, error FROM attempts WHERE callback = ? ORDER BY serial",
            [callback.blob]
        ) { row in
            CallbackAttempt(
                callback: callback,
                number: try row.some(row[0] as Int?),
                startedAt: try row.some(row.moment(1)),
                duration: .microseconds(try row.some(row[2] as Int64?)),
                status: row[3],
                error: row[4]
            )
        }
    }

    static func insert(_ attempt: CallbackAttempt, _ db: Database) throws {
        try db.run(
            """
            INSERT INTO attempts (callback, number, started_at, duration, status, error) SELECT ?1, ?2, ?3, ?4, ?5, ?6
            WHERE NOT EXISTS (SELECT 1 FROM attempts WHERE callback = ?1 AND started_at = ?3)
            """,
            [
                attempt.callback.blob, attempt.number, attempt.startedAt.microseconds,
                attempt.duration.wholeMicroseconds, attempt.status, attempt.error,
            ]
        )
    }
}
