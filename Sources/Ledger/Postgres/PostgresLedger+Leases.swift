// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
import Plumbing
import Workflow

// Leases that end by time.
extension PostgresLedger {
    /// Claims due jobs until a moment, in one statement like the claim of a worker that beats.
    public func claim(_ claim: RemoteClaim) async throws(LedgerError) -> [JobRecord] {
        guard !claim.leases.isEmpty else { return [] }
        var parameters: [any PostgresParameter] = [
            claim.service, claim.worker, PostgresList(claim.leases), claim.duration.postgresMicroseconds,
        ]
        if let types = claim.taskTypes { parameters.append(PostgresList(types)) }
        if let profiles = claim.modelProfiles { parameters.append(PostgresList(profiles)) }
        let statement = Self.remoteClaim(byType: claim.taskTypes != nil, byProfile: claim.modelProfiles != nil)
        let call = PostgresCall(statement, parameters)
        return try await retryingConflicts { () async throws(LedgerError) in
            try await run(call, on: quick).map(PostgresJobColumns.readRecord)
        }
    }

    /// Makes leases last; their standing is read after, so that it shows what the renewal had to wait for.
    ///
    /// A renewal that the server's end loses only lets the lease end earlier.
    public func renew(
        _ leases: [LeaseProbe],
        for duration: Duration
    ) async throws(LedgerError) -> [LeaseProbe.Standing] {
        guard !leases.isEmpty else { return [] }
        let (jobs, ids) = (PostgresList(leases.map(\.job)), PostgresList(leases.map(\.lease)))
        let calls = [
            PostgresCall(Self.renew, [jobs, ids, duration.postgresMicroseconds]),
            PostgresCall(Self.standings, [jobs, ids]),
        ]
        return try await retryingConflicts { () async throws(LedgerError) in
            let rows = try await run(calls, on: quick)
            guard rows.count == 2 else { throw LedgerError(.corrupt, "a read without an answer") }
            return try rows[1].map(Self.readStanding)
        }
    }

    /// Reads a job's state, and whether its lease is the one that was asked about.
    static func readStanding(_ row: inout PostgresRow) throws(LedgerError) -> LeaseProbe.Standing {
        switch (try row.intIfAny(), try row.bool()) {
        case (1, true): .held
        case (4, true), (5, true): .stopped
        case (nil, _): .unknown
        default: .settled
        }
    }

    // MARK: Statements

    /// A statement per kind of filter; see ``jobs(_:)``.
    static func remoteClaim(byType: Bool, byProfile: Bool) -> PostgresStatement {
        var (name, filter) = ("claim_remote", "")
        if byType {
            name += "_type"
            filter += " AND task_type = ANY($5::text[])"
        }
        if byProfile {
            name += "_profile"
            filter += " AND model_profile = ANY($\(byType ? 6 : 5)::text[])"
        }
        return claiming(
            name,
            sets: ", lease_until = statement_timestamp() + $4::bigint * interval '1 microsecond'",
            filter: filter
        )
    }

    /// Only a job that runs has a `lease_until`.
    private static let renew = PostgresStatement(
        "renew",
        """
        WITH mine AS (
            SELECT j.id FROM jobs j JOIN unnest($1::uuid[], $2::uuid[]) AS u(id, lease) ON u.id = j.id
            WHERE j.lease = u.lease AND j.lease_until IS NOT NULL ORDER BY j.id FOR UPDATE OF j
        )
        UPDATE jobs j SET lease_until = statement_timestamp() + $3::bigint * interval '1 microsecond'
        FROM (SELECT DISTINCT id FROM mine) AS mine WHERE j.id = mine.id
        """
    )

    private static let standings = PostgresStatement(
        "standings",
        """
        SELECT j.state, coalesce(j.lease = u.lease, false)
        FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS u(id, lease, n) LEFT JOIN jobs j ON j.id = u.id
        ORDER BY u.n
        """
    )
}
