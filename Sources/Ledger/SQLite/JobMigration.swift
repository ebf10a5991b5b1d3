// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Migration 3: what direct jobs carry, leases by time, histories, fair shares.
///
/// The table is made anew, since columns that are added come to lie behind the payloads.
enum JobMigration {
    static let tables = """
        CREATE TABLE jobs_3 (
            id BLOB NOT NULL PRIMARY KEY, task BLOB, app TEXT, stage INTEGER, item INTEGER, service TEXT NOT NULL,
            state TEXT NOT NULL, lease BLOB, worker TEXT, attempt INTEGER NOT NULL, failures INTEGER NOT NULL,
            deaths INTEGER NOT NULL, orphaned INTEGER NOT NULL, max_attempts INTEGER NOT NULL,
            backoff_base INTEGER NOT NULL, backoff_cap INTEGER NOT NULL, backoff_jitter REAL NOT NULL,
            timeout INTEGER NOT NULL, deadline INTEGER, run_after INTEGER, rank INTEGER NOT NULL,
            created_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER, error BLOB, trace TEXT,
            labels BLOB, lease_until INTEGER, owner_service TEXT, owner_ref TEXT, task_type TEXT, model_profile TEXT,
            user TEXT, dedup_key TEXT, error_category TEXT, usage BLOB, history BLOB, input BLOB NOT NULL, result BLOB
        ) STRICT;
        CREATE TABLE fair_tails (
            service TEXT NOT NULL, priority INTEGER NOT NULL, user TEXT NOT NULL, finish INTEGER NOT NULL,
            PRIMARY KEY (service, priority, user)
        ) STRICT, WITHOUT ROWID;
        ALTER TABLE workers ADD COLUMN remote INTEGER NOT NULL DEFAULT 0;
        """

    static let copy = """
        INSERT INTO jobs_3 (id, task, app, stage, item, service, state, lease, worker, attempt, failures, deaths,
            orphaned, max_attempts, backoff_base, backoff_cap, backoff_jitter, timeout, deadline, run_after, rank,
            created_at, started_at, finished_at, error, trace, user, error_category, usage, input, result)
        SELECT id, task, app, stage, item, service, state, lease, worker, attempt, failures, deaths,
            orphaned, max_attempts, backoff_base, backoff_cap, backoff_jitter, timeout, deadline, run_after, rank,
            created_at, started_at, finished_at, error, trace,
            (SELECT t.app || '/' || t.user FROM tasks t WHERE t.id = jobs.task),
            json_extract(CAST(error AS TEXT), '$.category'), usage, input, result
        FROM jobs;
        DROP TABLE jobs;
        ALTER TABLE jobs_3 RENAME TO jobs;
        """

    // A user's load is asked for with `finished_at IS NULL`, word for word: SQLite proves no more than that.
    static let indexes = """
        CREATE INDEX jobs_due ON jobs (service, rank, id, task_type, model_profile)
            WHERE state = 'waiting' AND run_after IS NULL;
        CREATE INDEX jobs_later ON jobs (run_after, service) WHERE state = 'waiting' AND run_after IS NOT NULL;
        CREATE INDEX jobs_running ON jobs (worker) WHERE state = 'running';
        CREATE INDEX jobs_lease ON jobs (lease) WHERE state = 'running';
        CREATE INDEX jobs_attempt_end ON jobs (started_at + timeout) WHERE state = 'running';
        CREATE INDEX jobs_task ON jobs (task, stage, item) WHERE task IS NOT NULL;
        CREATE INDEX jobs_service ON jobs (service, state, id);
        CREATE INDEX jobs_direct_deadline ON jobs (deadline)
            WHERE task IS NULL AND deadline IS NOT NULL AND finished_at IS NULL;
        CREATE INDEX jobs_direct_end ON jobs (finished_at) WHERE task IS NULL AND finished_at IS NOT NULL;
        CREATE UNIQUE INDEX jobs_dedup ON jobs (dedup_key, owner_service) WHERE dedup_key IS NOT NULL;
        CREATE INDEX jobs_owner ON jobs (owner_service, owner_ref, id) WHERE owner_service IS NOT NULL;
        CREATE INDEX jobs_user ON jobs (user, state) WHERE finished_at IS NULL;
        CREATE INDEX jobs_created ON jobs (created_at);
        """
}
