// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// How tasks are written to and read from the table `tasks`.
enum PostgresTaskColumns {
    static let all: [(name: String, type: String)] = [
        ("id", "uuid"), ("app", "text"), ("method", "text"), ("user_id", "text"), ("role", "text"), ("request", "text"),
        ("fingerprint", "bytea"), ("trace", "text"), ("callback_url", "text"), ("payload", "bytea"),
        ("definition", "text"), ("state", "smallint"), ("created_at", "timestamptz"), ("deadline", "timestamptz"),
        ("finished_at", "timestamptz"), ("output", "bytea"), ("error", "bytea"), ("failed_stage", "text"),
    ]

    /// One list per column of `all`.
    static func parameters(_ tasks: [TaskRecord]) throws(LedgerError) -> [any PostgresParameter] {
        var errors: [[UInt8]?] = []
        for task in tasks { errors.append(try task.error?.stored) }
        return [
            PostgresList(tasks.map(\.id)), PostgresList(tasks.map(\.app)), PostgresList(tasks.map(\.method)),
            PostgresList(tasks.map(\.user)), PostgresList(tasks.map(\.role)), PostgresList(tasks.map(\.request)),
            PostgresList(tasks.map(\.fingerprint)), PostgresList(optional: tasks.map(\.trace)),
            PostgresList(optional: tasks.map(\.callbackURL)), PostgresList(tasks.map(\.payload)),
            PostgresList(tasks.map(\.definition)), PostgresList(tasks.map(\.state.postgresCode)),
            PostgresList(tasks.map(\.createdAt)), PostgresList(tasks.map(\.deadline)),
            PostgresList(optional: tasks.map(\.finishedAt)), PostgresList(optional: tasks.map(\.output)),
            PostgresList(optional: errors), PostgresList(optional: tasks.map(\.failedStage)),
        ]
    }

    /// Reads the columns of `all`.
    static func read(_ row: inout PostgresRow) throws(LedgerError) -> TaskRecord {
        let (id, app, method, user) = (try row.id(), try row.text(), try row.text(), try row.text())
        let (role, request, fingerprint) = (try row.text(), try row.text(), try row.bytes())
        let (trace, callback, payload) = (try row.textIfAny(), try row.textIfAny(), try row.bytes())
        let (definition, state) = (try row.text(), try Run.State(postgres: try row.int()))
        let (createdAt, deadline) = (try row.moment(), try row.moment())
        var task = TaskRecord(
            id: id,
            app: app,
            method: method,
            user: user,
            role: role,
            request: request,
            fingerprint: fingerprint,
            trace: trace,
            callbackURL: callback,
            payload: payload,
            definition: definition,
            createdAt: createdAt,
            deadline: deadline
        )
        task.state = state
        task.finishedAt = try row.momentIfAny()
        task.output = try row.bytesIfAny()
        if let error = try row.bytesIfAny() { task.error = try JobError(stored: error) }
        task.failedStage = try row.textIfAny()
        return task
    }

    /// Reads a run as `runs.stages` holds it.
    static func readRun(_ row: inout PostgresRow) throws(LedgerError) -> Run {
        let bytes = try row.bytes()
        do {
            return try Run(encoded: bytes)
        } catch {
            throw LedgerError(.corrupt, "\(error)")
        }
    }
}
