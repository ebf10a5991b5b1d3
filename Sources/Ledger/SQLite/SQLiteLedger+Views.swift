// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
public import Ledger
public import Plumbing
public import Workflow

extension SQLiteLedger {
    /// A task with its run.
    public func task(_ id: TaskID) async throws(LedgerError) -> TaskView? {
        try await read { [self] db in
            guard var view = try TaskRows.find(id, db) else { return nil }
            view.stageNames = try definition(view.task.definition, db)?.stages.map(\.name) ?? []
            return view
        }
    }

    /// A definition that was stored.
    public func definition(hash: String) async throws(LedgerError) -> WorkflowDefinition? {
        try await read { [self] db in try definition(hash, db) }
    }

    private func definition(_ hash: String, _ db: Database) throws -> WorkflowDefinition? {
        if let known = knownDefinitions[hash] { return known }
        let stored = try db.first("SELECT stored FROM definitions WHERE hash = ?", [hash]) { try $0.bytes(0) }
        guard let stored = stored ?? nil else { return nil }
        let definition = try WorkflowDefinition(stored: stored)
        knownDefinitions.keep([definition])
        return definition
    }

    /// The jobs of a task without payloads.
    public func jobs(ofTask task: TaskID, limit: Int) async throws(LedgerError) -> [Job] {
        try await read { db in
            try db.rows(
                "SELECT \(JobRows.columns) FROM jobs WHERE task = ? ORDER BY stage, item, id LIMIT ?",
                [task.blob, limit],
                JobRows.job
            )
        }
    }

    /// Jobs newest first, without payloads.
    public func jobs(_ query: JobQuery) async throws(LedgerError) -> [Job] {
        guard query.limit > 0 else { return [] }
        // By service and state the index has them in order: a piece of each comes to less than all of them sorted.
        let isPieced = query.ownerService == nil && query.task == nil
        let pieces: [JobQuery] =
            isPieced
            ? Set(query.services ?? []).flatMap { service in
                Set(query.states ?? JobState.allCases).map { state in
                    var piece = query
                    (piece.services, piece.states) = ([service], [state])
                    return piece
                }
            } : []
        return try await read { db in
            guard isPieced, query.services != nil else { return try Self.find(query, db) }
            let found = try pieces.flatMap { try Self.find($0, db) }
            return Array(found.sorted { $0.id > $1.id }.prefix(query.limit))
        }
    }

    private static func find(_ query: JobQuery, _ db: Database) throws -> [Job] {
        // Not kept compiled: there are too many combinations.
        let condition = SQLCondition(query)
        let cursor = try Row.fetchCursor(
            db,
            sql: "SELECT \(JobRows.columns) FROM jobs WHERE \(condition.sql) ORDER BY id DESC LIMIT ?",
            arguments: StatementArguments(condition.values + [query.limit])
        )
        var jobs: [Job] = []
        while let row = try cursor.next() { jobs.append(try JobRows.job(row)) }
        return jobs
    }

    /// One job with its payloads.
    public func job(_ id: JobID) async throws(LedgerError) -> JobRecord? {
        try await read { db in
            try db.first("SELECT \(JobRows.allColumns) FROM jobs WHERE id = ?", [id.blob], JobRows.record)
        }
    }

    /// Reads a document.
    public func document(_ name: String) async throws(LedgerError) -> (version: Int, bytes: [UInt8])? {
        try await read { db in
            try db.first("SELECT version, bytes FROM documents WHERE name = ?", [name]) { row in
                (try row.some(row[0] as Int?), try row.bytes(1) ?? [])
            }
        }
    }

    /// Writes a document if its version is as expected.
    public func write(
        document name: String,
        expecting expected: Int,
        _ bytes: [UInt8]
    ) async throws(LedgerError) -> Bool {
        try await write { db in
            if expected == 0 {
                try db.run(
                    "INSERT INTO documents (name, version, bytes) VALUES (?, 1, ?) ON CONFLICT DO NOTHING",
                    [name, bytes.blob]
                )
            } else {
                try db.run(
                    "UPDATE documents SET version = version + 1, bytes = ? WHERE name = ? AND version = ?",
                    [bytes.blob, name, expected]
                )
            }
            return db.changesCount == 1
        }
    }
}
