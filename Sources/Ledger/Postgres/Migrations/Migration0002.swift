// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

extension PostgresMigration {
    /// What direct jobs carry for their callers, leases that end by time, attempts, and fair shares.
    ///
    /// A job of a task has nulls in all of these columns and stands in none of the new indexes.
    static let direct = PostgresMigration(
        number: 2,
        name: "direct",
        statements: [jobLabels, nameCategories, remoteWorkers, fairTails] + directIndexes
    )

    /// `labels` holds them as JSON; the columns after `lease_until` repeat what is looked for.
    ///
    /// `dedup` is a digest of owner and key, and `history` has one JSON object per attempt that did not succeed.
    private static let jobLabels = """
        ALTER TABLE jobs ADD COLUMN labels bytea, ADD COLUMN lease_until timestamptz, ADD COLUMN owner_service text,
            ADD COLUMN owner_ref text, ADD COLUMN task_type text, ADD COLUMN model_profile text,
            ADD COLUMN user_id text, ADD COLUMN dedup bytea, ADD COLUMN error_category text, ADD COLUMN history bytea[]
        """

    /// `encode(…, 'escape')` takes any bytes, and doubles the backslashes of quotes that are part of a message.
    private static let nameCategories = """
        UPDATE jobs SET error_category = substring(encode(error, 'escape') FROM '"category":"([a-z_]+)"')
        WHERE error IS NOT NULL
        """

    private static let remoteWorkers = "ALTER TABLE workers ADD COLUMN remote boolean NOT NULL DEFAULT false"

    private static let fairTails = """
        CREATE TABLE fair_tails (
            service text NOT NULL, priority int NOT NULL, user_id text NOT NULL, finish bigint NOT NULL,
            told_at timestamptz NOT NULL, PRIMARY KEY (service, priority, user_id)
        ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
            autovacuum_vacuum_cost_delay = 0)
        """

    /// An index entry holds 2,704 bytes at most, so texts from outside stand in them cut to 200 characters.
    private static let directIndexes = [
        "CREATE UNIQUE INDEX jobs_dedup ON jobs (dedup) WHERE dedup IS NOT NULL",
        """
        CREATE INDEX jobs_owner ON jobs (left(owner_service, 200), left(owner_ref, 200), id)
        WHERE owner_service IS NOT NULL
        """,
        "CREATE INDEX jobs_user ON jobs (left(user_id, 200), state) WHERE user_id IS NOT NULL AND state < 2",
    ]
}
