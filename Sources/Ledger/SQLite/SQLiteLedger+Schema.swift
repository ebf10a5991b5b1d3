// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import GRDB
public import Ledger

extension SQLiteLedger {
    /// Runs the numbered migrations that are missing.
    public func migrate() async throws(LedgerError) {
        // Two processes that start at once both see a migration missing; the second then fails on what the first one
        // made, and finds nothing left to do on its next try.
        for _ in 0..<3 {
            do {
                return try await runMigrations()
            } catch {
                guard error.code == .misuse || error.code == .timeout else { throw error }
            }
        }
        try await runMigrations()
    }

    private func runMigrations() async throws(LedgerError) {
        let (migrator, writer) = (Self.migrator, writer)
        do {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                migrator.asyncMigrate(writer) { result in continuation.resume(with: result.map { _ in }) }
            }
        } catch {
            throw LedgerError(wrapping: error)
        }
    }

    /// Answers when the database does.
    public func ping() async throws(LedgerError) {
        try await read { db in _ = try Int.fetchOne(db, sql: "SELECT 1") }
    }

    /// Runs statements as they stand: for a test that makes an older file.
    func execute(script: String) async throws(LedgerError) {
        try await write { db in try db.execute(sql: script) }
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1-tables", foreignKeyChecks: .immediate) { db in try db.execute(sql: tables) }
        migrator.registerMigration("2-indexes", foreignKeyChecks: .immediate) { db in try db.execute(sql: indexes) }
        migrator.registerMigration("3-jobs", foreignKeyChecks: .immediate) { db in
            try db.execute(sql: JobMigration.tables + JobMigration.copy + JobMigration.indexes)
        }
        return migrator
    }

    // Moments and durations are microseconds, ids are 16 bytes, payloads are the bytes of their JSON. Payloads stand last
    // in a row, so that reading the rest does not walk through them.
    static let tables = """
        CREATE TABLE definitions (
            hash TEXT NOT NULL PRIMARY KEY, app TEXT NOT NULL, method TEXT NOT NULL, stored BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE tasks (
            id BLOB NOT NULL PRIMARY KEY, app TEXT NOT NULL, method TEXT NOT NULL, user TEXT NOT NULL,
            role TEXT NOT NULL, request TEXT NOT NULL, fingerprint BLOB NOT NULL, trace TEXT, callback_url TEXT,
            definition TEXT NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL, deadline INTEGER NOT NULL,
            finished_at INTEGER, error BLOB, failed_stage TEXT, payload BLOB NOT NULL, output BLOB,
            UNIQUE (app, user, request)
        ) STRICT;
        CREATE TABLE runs (
            task BLOB NOT NULL PRIMARY KEY, encoded BLOB NOT NULL, started_at INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE jobs (
            id BLOB NOT NULL PRIMARY KEY, task BLOB, app TEXT, stage INTEGER, item INTEGER, service TEXT NOT NULL,
            state TEXT NOT NULL, lease BLOB, worker TEXT, attempt INTEGER NOT NULL, failures INTEGER NOT NULL,
            deaths INTEGER NOT NULL, orphaned INTEGER NOT NULL, max_attempts INTEGER NOT NULL,
            backoff_base INTEGER NOT NULL, backoff_cap INTEGER NOT NULL, backoff_jitter REAL NOT NULL,
            timeout INTEGER NOT NULL, deadline INTEGER, run_after INTEGER, rank INTEGER NOT NULL,
            created_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER, error BLOB, trace TEXT,
            input BLOB NOT NULL, result BLOB, usage BLOB
        ) STRICT;
        CREATE TABLE callbacks (
            id BLOB NOT NULL PRIMARY KEY, task BLOB NOT NULL, app TEXT NOT NULL, url TEXT NOT NULL,
            trusted INTEGER NOT NULL, headers BLOB NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
            due_at INTEGER NOT NULL, created_at INTEGER NOT NULL, body BLOB NOT NULL
        ) STRICT;
        CREATE TABLE attempts (
            serial INTEGER PRIMARY KEY, callback BLOB NOT NULL, number INTEGER NOT NULL, started_at INTEGER NOT NULL,
            duration INTEGER NOT NULL, status INTEGER, error TEXT
        ) STRICT;
        CREATE TABLE workers (
            worker TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, services BLOB NOT NULL, slots INTEGER NOT NULL,
            running INTEGER NOT NULL, draining INTEGER NOT NULL, trouble BLOB, beat_at INTEGER NOT NULL,
            started_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE swept (
            app TEXT NOT NULL, user TEXT NOT NULL, method TEXT NOT NULL, hour INTEGER NOT NULL, state TEXT NOT NULL,
            count INTEGER NOT NULL, PRIMARY KEY (app, user, method, hour, state)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE documents (
            name TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, bytes BLOB NOT NULL
        ) STRICT;
        """

    static let indexes = """
        CREATE INDEX jobs_due ON jobs (service, rank, id) WHERE state = 'waiting' AND run_after IS NULL;
        CREATE INDEX jobs_later ON jobs (run_after, service) WHERE state = 'waiting' AND run_after IS NOT NULL;
        CREATE INDEX jobs_running ON jobs (worker) WHERE state = 'running';
        CREATE INDEX jobs_lease ON jobs (lease) WHERE state = 'running';
        CREATE INDEX jobs_attempt_end ON jobs (started_at + timeout) WHERE state = 'running';
        CREATE INDEX jobs_task ON jobs (task, stage, item) WHERE task IS NOT NULL;
        CREATE INDEX jobs_service ON jobs (service, state, id);
        CREATE INDEX jobs_direct_deadline ON jobs (deadline)
            WHERE task IS NULL AND deadline IS NOT NULL AND finished_at IS NULL;
        CREATE INDEX jobs_direct_end ON jobs (finished_at) WHERE task IS NULL AND finished_at IS NOT NULL;
        CREATE INDEX tasks_deadline ON tasks (deadline) WHERE state = 'running';
        CREATE INDEX tasks_end ON tasks (finished_at) WHERE finished_at IS NOT NULL;
        CREATE INDEX callbacks_due ON callbacks (due_at) WHERE state = 'pending';
        CREATE INDEX callbacks_task ON callbacks (task);
        CREATE INDEX attempts_callback ON attempts (callback, serial);
        """
}
