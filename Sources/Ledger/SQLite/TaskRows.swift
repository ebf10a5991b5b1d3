// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
import Ledger
import Plumbing
import Workflow

/// The rows of `tasks` and `runs`.
enum TaskRows {
    /// In the order of ``view(_:)``; from `tasks t JOIN runs r ON r.task = t.id`.
    static let columns = """
        t.id, t.app, t.method, t.user, t.role, t.request, t.fingerprint, t.trace, t.callback_url, t.definition,
        t.state, t.created_at, t.deadline, t.finished_at, t.error, t.failed_stage, t.payload, t.output, r.encoded,
        r.started_at
        """

    /// A task with its run; the stages' names are left out.
    static func find(_ id: TaskID, _ db: Database) throws -> TaskView? {
        try db.first("SELECT \(columns) FROM tasks t JOIN runs r ON r.task = t.id WHERE t.id = ?", [id.blob], view)
    }

    private static func view(_ row: Row) throws -> TaskView {
        var task = TaskRecord(
            id: try row.some(try row.meshID(0)),
            app: try row.some(row[1] as String?),
            method: try row.some(row[2] as String?),
            user: try row.some(row[3] as String?),
            role: try row.some(row[4] as String?),
            request: try row.some(row[5] as String?),
            fingerprint: try row.bytes(6) ?? [],
            trace: row[7],
            callbackURL: row[8],
            payload: try row.bytes(16) ?? [],
            definition: try row.some(row[9] as String?),
            createdAt: try row.some(row.moment(11)),
            deadline: try row.some(row.moment(12))
        )
        task.state = try row.some((row[10] as String?).flatMap(Run.State.init(rawValue:)))
        task.finishedAt = row.moment(13)
        task.error = try row.jobError(14)
        task.failedStage = row[15]
        task.output = try row.bytes(17)
        let run: Run
        do {
            run = try Run(encoded: row.bytes(18) ?? [])
        } catch {
            throw LedgerError(.corrupt, "the run of task \(task.id): \(error)")
        }
        return TaskView(task: task, run: run, stageNames: [], startedAt: row.moment(19))
    }

    /// Inserts a task and its run unless its request was accepted before.
    static func insert(_ task: TaskRecord, run: Run, _ db: Database) throws -> NewTask.Acceptance {
        let values: [(any DatabaseValueConvertible)?] = [
            task.id.blob, task.app, task.method, task.user, task.role, task.request, task.fingerprint.blob,
            task.trace, task.callbackURL, task.definition, task.state.rawValue, task.createdAt.microseconds,
            task.deadline.microseconds, task.finishedAt?.microseconds, task.error?.blob, task.failedStage,
            task.payload.blob, task.output?.blob,
        ]
        try db.run(
            """
            INSERT INTO tasks (id, app, method, user, role, request, fingerprint, trace, callback_url, definition, state,
                created_at, deadline, finished_at, error, failed_stage, payload, output)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (app, user, request) DO NOTHING
            """,
            StatementArguments(values)
        )
        guard db.changesCount == 0 else {
            try db.run("INSERT INTO runs (task, encoded) VALUES (?, ?)", [task.id.blob, run.encoded.blob])
            return .created
        }
        let before = try earlier(
            app: task.app,
            user: task.user,
            request: task.request,
            fingerprint: task.fingerprint,
            db
        )
        guard let before else { throw LedgerError(.conflict, "the request was there and is gone") }
        return before
    }

    /// What became of a request that came before; nil for a new one.
    static func earlier(
        app: String,
        user: String,
        request: String,
        fingerprint: [UInt8],
        _ db: Database
    ) throws -> NewTask.Acceptance? {
        try db.first(
            "SELECT id, fingerprint FROM tasks WHERE app = ? AND user = ? AND request = ?",
            [app, user, request]
        ) { row in
            let id = try row.some(try row.meshID(0))
            return try row.bytes(1) == fingerprint ? .repeated(id) : .clash(id)
        }
    }

    /// Writes a run; one that was not read only if it is as it was before.
    ///
    /// - Throws: ``LedgerError`` of code `conflict` if it is not.
    static func advance(_ task: TaskID, from before: Run?, to after: Run, _ db: Database) throws {
        guard let before else {
            return try db.run("UPDATE runs SET encoded = ? WHERE task = ?", [after.encoded.blob, task.blob])
        }
        try db.run(
            "UPDATE runs SET encoded = ? WHERE task = ? AND encoded = ?",
            [after.encoded.blob, task.blob, before.encoded.blob]
        )
        guard db.changesCount == 1 else { throw LedgerError(.conflict, "the run of task \(task) is not as it was") }
    }

    /// Notes that the run of a job's task has begun, when the job runs and is its first.
    static func begin(_ job: Job, _ db: Database) throws {
        guard job.state == .running, let task = job.task, let startedAt = job.startedAt else { return }
        try db.run(
            "UPDATE runs SET started_at = ? WHERE task = ? AND started_at IS NULL",
            [startedAt.microseconds, task.blob]
        )
    }

    /// Writes how a task ended.
    static func finish(_ task: TaskRecord, _ db: Database) throws {
        try db.run(
            "UPDATE tasks SET state = ?, finished_at = ?, error = ?, failed_stage = ?, output = ? WHERE id = ?",
            [
                task.state.rawValue, task.finishedAt?.microseconds, task.error?.blob, task.failedStage,
                task.output?.blob, task.id.blob,
            ]
        )
    }
}
