// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// How callbacks are written to and read from the table `callbacks`.
enum PostgresCallbackColumns {
    static let all: [(name: String, type: String)] = [
        ("id", "uuid"), ("task_id", "uuid"), ("app", "text"), ("url", "text"), ("trusted", "bool"),
        ("headers", "bytea"), ("body", "bytea"), ("state", "smallint"), ("attempts", "int"), ("due_at", "timestamptz"),
        ("created_at", "timestamptz"),
    ]

    /// One list per column of `all`.
    static func parameters(_ callbacks: [CallbackRecord]) throws(LedgerError) -> [any PostgresParameter] {
        var headers: [[UInt8]] = []
        for callback in callbacks { headers.append(try StoredHeaders.encode(callback.headers)) }
        return [
            PostgresList(callbacks.map(\.id)), PostgresList(callbacks.map(\.task)), PostgresList(callbacks.map(\.app)),
            PostgresList(callbacks.map(\.url)), PostgresList(callbacks.map(\.isTrusted)), PostgresList(headers),
            PostgresList(callbacks.map(\.body)), PostgresList(callbacks.map(\.state.code)),
            PostgresList(callbacks.map { Int32(clamping: $0.attempts) }), PostgresList(callbacks.map(\.dueAt)),
            PostgresList(callbacks.map(\.createdAt)),
        ]
    }

    /// Reads the columns of `all`.
    static func read(_ row: inout PostgresRow) throws(LedgerError) -> CallbackRecord {
        let (id, task, app, url) = (try row.id(), try row.id(), try row.text(), try row.text())
        let isTrusted = try row.bool()
        let headers = try StoredHeaders.decode(try row.bytes())
        let body = try row.bytes()
        let (state, attempts) = (try CallbackRecord.State(postgres: try row.int()), try row.int())
        let (dueAt, createdAt) = (try row.moment(), try row.moment())
        var callback = CallbackRecord(
            id: id,
            task: task,
            app: app,
            url: url,
            isTrusted: isTrusted,
            headers: headers,
            body: body,
            dueAt: dueAt,
            createdAt: createdAt
        )
        callback.state = state
        callback.attempts = attempts
        return callback
    }
}
