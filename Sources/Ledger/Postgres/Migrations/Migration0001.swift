// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

extension PostgresMigration {
    /// The tables of the ledger.
    ///
    /// Payloads are the bytes of their JSON, so nothing that a handler returns can fail a statement. There are no
    /// foreign keys: rows are written and swept together in one transaction, and a check would cost a look-up per job.
    static let ledger = PostgresMigration(
        number: 1,
        name: "ledger",
        statements: [
            tasks, runs, jobs, definitions, workers, callbacks, attempts, userNumbers, documents,
        ] + indexes
    )

    /// States as in `PostgresCodes`.
    private static let tasks = """
        CREATE TABLE tasks (
            id uuid PRIMARY KEY, app text NOT NULL, method text NOT NULL, user_id text NOT NULL, role text NOT NULL,
            request text NOT NULL, fingerprint bytea NOT NULL, trace text, callback_url text, payload bytea NOT NULL,
            definition text NOT NULL, state smallint NOT NULL, created_at timestamptz NOT NULL,
            deadline timestamptz NOT NULL, finished_at timestamptz, output bytea, error bytea, failed_stage text
        ) WITH (fillfactor = 80, \(queueVacuum))
        """

    private static let runs = """
        CREATE TABLE runs (
            task_id uuid PRIMARY KEY, state smallint NOT NULL, stages bytea NOT NULL
        ) WITH (fillfactor = 70, \(queueVacuum))
        """

    /// Durations are in microseconds.
    ///
    /// What hardly ever changes comes first and last, what changes in every life in between: an update logs only what lies
    /// between the first and the last byte that differ, if the new version fits into the old one's page. For that half of
    /// each page is left free. What later steps add comes behind `input`; of that only jobs that fail or are claimed over
    /// HTTPS change something, and log all of it. A table with another order of columns works the same and logs more.
    private static let jobs = """
        CREATE TABLE jobs (
            id uuid PRIMARY KEY, task_id uuid, app text, stage int, item int, service text NOT NULL,
            max_attempts int NOT NULL, backoff_base bigint NOT NULL, backoff_cap bigint NOT NULL,
            backoff_jitter double precision NOT NULL, timeout bigint NOT NULL, rank bigint NOT NULL,
            created_at timestamptz NOT NULL, trace text, deadline timestamptz,
            worker text, lease uuid, attempt int NOT NULL, started_at timestamptz, run_after timestamptz,
            state smallint NOT NULL, failures int NOT NULL, deaths int NOT NULL, orphaned int NOT NULL,
            finished_at timestamptz, error bytea, result bytea, usage bytea,
            input bytea NOT NULL
        ) WITH (fillfactor = 50, \(queueVacuum))
        """

    private static let definitions = """
        CREATE TABLE definitions (
            hash text PRIMARY KEY, app text NOT NULL, method text NOT NULL, stages text[] NOT NULL,
            stored bytea NOT NULL, stored_at timestamptz NOT NULL DEFAULT clock_timestamp())
        """

    private static let workers = """
        CREATE TABLE workers (
            worker text PRIMARY KEY, name text NOT NULL, services text[] NOT NULL, slots int NOT NULL,
            running int NOT NULL, draining boolean NOT NULL, trouble bytea, beat_at timestamptz NOT NULL,
            started_at timestamptz NOT NULL
        ) WITH (fillfactor = 50, \(queueVacuum))
        """

    private static let callbacks = """
        CREATE TABLE callbacks (
            id uuid PRIMARY KEY, task_id uuid NOT NULL, app text NOT NULL, url text NOT NULL, trusted boolean NOT NULL,
            headers bytea NOT NULL, body bytea NOT NULL, state smallint NOT NULL, attempts int NOT NULL,
            due_at timestamptz NOT NULL, created_at timestamptz NOT NULL
        ) WITH (fillfactor = 80, \(queueVacuum))
        """

    private static let attempts = """
        CREATE TABLE callback_attempts (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, callback_id uuid NOT NULL, number int NOT NULL,
            started_at timestamptz NOT NULL, duration bigint NOT NULL, status int, error text)
        """

    /// What the sweep has deleted, by the day (UTC) of its acceptance.
    private static let userNumbers = """
        CREATE TABLE user_numbers (
            app text NOT NULL, user_id text NOT NULL, method text NOT NULL, day date NOT NULL,
            succeeded bigint NOT NULL, failed bigint NOT NULL, cancelled bigint NOT NULL, timed_out bigint NOT NULL,
            PRIMARY KEY (app, user_id, method, day)
        ) WITH (fillfactor = 80)
        """

    private static let documents = """
        CREATE TABLE documents (name text PRIMARY KEY, version int NOT NULL, bytes bytea NOT NULL)
        """

    /// Queue tables turn over many times a day: vacuum by the thousand rows, and without pauses.
    private static let queueVacuum = """
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, \
        autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.1, \
        autovacuum_vacuum_cost_delay = 0
        """

    private static let indexes = [
        "CREATE UNIQUE INDEX tasks_request ON tasks (app, user_id, request)",
        "CREATE INDEX tasks_user ON tasks (user_id, app, created_at)",
        "CREATE INDEX tasks_open ON tasks (deadline) WHERE state = 1",
        "CREATE INDEX tasks_finished ON tasks (finished_at) WHERE finished_at IS NOT NULL",
        "CREATE INDEX jobs_due ON jobs (service, rank, id) WHERE state = 0 AND run_after IS NULL",
        "CREATE INDEX jobs_later ON jobs (run_after, service) WHERE state = 0 AND run_after IS NOT NULL",
        // Unique: a claim that is repeated while the first is still under way waits for it and takes nothing more.
        "CREATE UNIQUE INDEX jobs_running ON jobs (worker, lease) WHERE state = 1",
        "CREATE INDEX jobs_task ON jobs (task_id, stage, item) WHERE task_id IS NOT NULL",
        // For lists. The predicates above name the state, so a change of state writes every index anyway, and this one
        // costs no more than (service, id) would.
        "CREATE INDEX jobs_service ON jobs (service, state, id)",
        "CREATE INDEX jobs_direct_open ON jobs (deadline) WHERE task_id IS NULL AND state < 2 AND deadline IS NOT NULL",
        "CREATE INDEX jobs_direct_finished ON jobs (finished_at) WHERE task_id IS NULL AND finished_at IS NOT NULL",
        "CREATE INDEX callbacks_due ON callbacks (due_at) WHERE state = 0",
        "CREATE INDEX callbacks_task ON callbacks (task_id)",
        "CREATE INDEX callback_attempts_callback ON callback_attempts (callback_id, id)",
    ]
}
