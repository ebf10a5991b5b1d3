// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Plumbing
public import Workflow

extension PostgresLedger {
    /// Claims due jobs in one statement; its commit does not wait for the disk, for a lost claim is only made again.
    public func claim(
        service: String,
        worker: String,
        leases: [LeaseID],
        from rank: Int64?
    ) async throws(LedgerError) -> [JobRecord] {
        guard !leases.isEmpty else { return [] }
        let call = PostgresCall(Self.claim, [service, worker, PostgresList(leases), rank ?? .min])
        return try await retryingConflicts { () async throws(LedgerError) in
            try await run(call, on: quick).map(PostgresJobColumns.readRecord)
        }
    }

    /// Gives claimed jobs back.
    public func handBack(_ leases: [LeaseProbe]) async throws(LedgerError) -> [Job] {
        guard !leases.isEmpty else { return [] }
        let call = PostgresCall(
            Self.handBack,
            [PostgresList(leases.map(\.job)), PostgresList(leases.map(\.lease))]
        )
        return try await retryingConflicts { () async throws(LedgerError) in
            try await run(call, on: quick).map(PostgresJobColumns.read)
        }
    }

    /// Renews a worker's row and reads its leases' standing in the same statement.
    public func beat(
        _ beat: WorkerBeat,
        leases: [LeaseProbe]
    ) async throws(LedgerError) -> [LeaseProbe.Standing] {
        let call = PostgresCall(
            Self.beat,
            [
                beat.worker, beat.name, PostgresList(beat.services), Int32(clamping: beat.slots),
                Int32(clamping: beat.running), beat.isDraining, beat.trouble, beat.isRemote,
                PostgresList(leases.map(\.job)), PostgresList(leases.map(\.lease)),
            ]
        )
        return try await run(call, on: quick).map(Self.readStanding)
    }

    /// The leases of jobs that were created as claimed by a worker.
    public func assigned(to worker: String, olderThan age: Duration) async throws(LedgerError) -> [LeaseProbe] {
        try await run(PostgresCall(Self.assigned, [worker, age.postgresMicroseconds]), on: quick)
            .map { row throws(LedgerError) in LeaseProbe(job: try row.id(), lease: try row.id()) }
    }

    /// Removes a worker's row.
    public func retire(worker: String) async throws(LedgerError) {
        _ = try await run(PostgresCall(Self.retire, [worker]), on: quick)
    }

    /// The workers that beat within the last ten minutes.
    public func workers() async throws(LedgerError) -> [WorkerRecord] {
        try await run(PostgresCall(Self.workers), on: quick).map { row throws(LedgerError) in
            let (worker, name, services) = (try row.text(), try row.text(), try row.texts())
            let (slots, running, isDraining) = (try row.int(), try row.int(), try row.bool())
            let beat = WorkerBeat(
                worker: worker,
                name: name,
                services: services,
                slots: slots,
                running: running,
                isDraining: isDraining,
                isRemote: try row.bool(),
                trouble: try row.bytesIfAny()
            )
            let (beatAt, startedAt) = (try row.moment(), try row.moment())
            return WorkerRecord(beat: beat, beatAt: beatAt, age: try row.duration(), startedAt: startedAt)
        }
    }

    // MARK: Statements

    static let claim = claiming("claim", filter: " AND rank >= $4::bigint")

    /// The n-th job by rank gets the n-th lease that holds none yet.
    ///
    /// Held leases are looked up one by one: with `lease = ANY(…)` the plan that PostgreSQL keeps, made when the table
    /// was small, reads all jobs of the worker, and those are thousands while completions wait to be settled.
    ///
    /// - Parameters:
    ///   - sets: what else the claim writes.
    ///   - filter: which due jobs it takes.
    static func claiming(_ name: String, sets: String = "", filter: String = "") -> PostgresStatement {
        PostgresStatement(
            name,
            """
            WITH held AS (
                SELECT j.id, l.lease FROM unnest($3::uuid[]) AS l(lease) CROSS JOIN LATERAL (
                    SELECT id FROM jobs WHERE state = 1 AND worker = $2::text AND lease = l.lease LIMIT 1
                ) j
            ), free AS (
                SELECT array_agg(l.lease) AS leases, count(*) AS count FROM unnest($3::uuid[]) AS l(lease)
                WHERE (l.lease IN (SELECT lease FROM held)) IS NOT TRUE
            ), due AS (
                SELECT id, rank FROM jobs
                WHERE service = $1::text AND state = 0 AND run_after IS NULL
                    AND (deadline IS NULL OR deadline > statement_timestamp())\(filter)
                ORDER BY rank, id LIMIT (SELECT count FROM free) FOR UPDATE SKIP LOCKED
            ), picked AS (
                SELECT id, row_number() OVER (ORDER BY rank, id) AS n FROM due
            ), taken AS (
                UPDATE jobs j SET state = 1, attempt = j.attempt + 1, lease = free.leases[picked.n],
                    worker = $2::text, started_at = statement_timestamp()\(sets)
                FROM picked, free WHERE j.id = picked.id
                RETURNING \(PostgresJobColumns.list("j.")), j.input, j.result, j.usage
            )
            SELECT * FROM taken
            UNION ALL
            SELECT \(PostgresJobColumns.list("j.")), j.input, j.result, j.usage FROM held JOIN jobs j ON j.id = held.id
            ORDER BY rank, id
            """,
            race: "23505"
        )
    }

    /// `state + 0`, or the plan may walk all running jobs once for each lease.
    static let handBack = PostgresStatement(
        "hand_back",
        """
        WITH mine AS (
            SELECT j.id FROM jobs j JOIN unnest($1::uuid[], $2::uuid[]) AS u(id, lease) ON u.id = j.id
            WHERE j.state + 0 = 1 AND j.lease = u.lease ORDER BY j.id FOR UPDATE OF j
        )
        UPDATE jobs j SET state = 0, lease = NULL, worker = NULL, started_at = NULL, lease_until = NULL,
            history = \(StoredAttempt.appendPresent(outcome: "'handed_back'"))
        FROM (SELECT DISTINCT id FROM mine) AS mine WHERE j.id = mine.id RETURNING \(PostgresJobColumns.list("j."))
        """
    )

    static let beat = PostgresStatement(
        "beat",
        """
        WITH row AS (
            INSERT INTO workers AS w
                (worker, name, services, slots, running, draining, trouble, remote, beat_at, started_at)
            VALUES ($1::text, $2::text, $3::text[], $4::int, $5::int, $6::bool, $7::bytea, $8::bool,
                clock_timestamp(), clock_timestamp())
            ON CONFLICT (worker) DO UPDATE SET name = excluded.name, services = excluded.services,
                slots = excluded.slots, running = excluded.running, draining = excluded.draining,
                trouble = excluded.trouble, remote = excluded.remote, beat_at = excluded.beat_at
        )
        SELECT j.state, coalesce(j.lease = u.lease, false)
        FROM unnest($9::uuid[], $10::uuid[]) WITH ORDINALITY AS u(id, lease, n) LEFT JOIN jobs j ON j.id = u.id
        ORDER BY u.n
        """
    )

    /// A job that was claimed later began at another microsecond than it was created.
    static let assigned = PostgresStatement(
        "assigned",
        """
        SELECT id, lease FROM jobs WHERE state = 1 AND worker = $1::text AND started_at = created_at
            AND started_at <= statement_timestamp() - $2::bigint * interval '1 microsecond' LIMIT 1000
        """
    )

    private static let retire = PostgresStatement("retire", "DELETE FROM workers WHERE worker = $1::text")

    private static let workers = PostgresStatement(
        "workers",
        """
        SELECT worker, name, services, slots, running, draining, remote, trouble, beat_at, started_at,
            (extract(epoch FROM clock_timestamp() - beat_at) * 1000000)::bigint
        FROM workers WHERE beat_at > statement_timestamp() - interval '10 minutes' ORDER BY worker
        """
    )
}
