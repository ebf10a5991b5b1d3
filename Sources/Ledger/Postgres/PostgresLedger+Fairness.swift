// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
import Plumbing
import Workflow

extension PostgresLedger {
    private static let tailsRead = 100_000
    /// A longer user would not fit into the index; the loss of its tail only makes its share less exact.
    private static let longestUser = 1000

    /// Keeps tails and reads what all have told, in two round trips; a tail that the server's end loses costs fairness
    /// for a moment.
    public func share(_ tails: [FairTail], services: [String]) async throws(LedgerError) -> FairView {
        guard !tails.isEmpty || !services.isEmpty else { return FairView() }
        var told: [[String]: FairTail] = [:]
        for tail in tails where tail.user.utf8.count <= Self.longestUser {
            let key = [tail.lane.service, "\(tail.lane.priority)", tail.user]
            if tail.finish > told[key]?.finish ?? .min { told[key] = tail }
        }
        // Sorted, so that two processes can't lock each other out.
        let sorted = told.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
        let tell = PostgresCall(
            Self.tell,
            [
                PostgresList(sorted.map(\.lane.service)),
                PostgresList(sorted.map { Int32(clamping: $0.lane.priority) }),
                PostgresList(sorted.map(\.user)), PostgresList(sorted.map(\.finish)),
            ]
        )
        let lanes = Set(services).sorted().flatMap { service in
            JobLabels.priorities.map { FairRanks.Lane(service: service, priority: $0) }
        }
        let look = PostgresCall(
            Self.heads,
            [
                PostgresList(lanes.map(\.service)), PostgresList(lanes.map(\.base)),
                PostgresList(lanes.map { $0.base + (FairRanks.Lane.span - 1) }),
            ]
        )
        return try await retryingConflicts { () async throws(LedgerError) in
            let rows = try await run((sorted.isEmpty ? [] : [tell]) + [look], on: quick)
            var heads: [FairRanks.Lane: Int64] = [:]
            let found = try rows.last?.map { row throws(LedgerError) in (try row.int(), try row.int()) } ?? []
            for (position, rank) in found where lanes.indices.contains(position - 1) {
                heads[lanes[position - 1]] = Int64(rank)
            }
            return FairView(tails: try await readTails(of: lanes, ahead: heads), heads: heads)
        }
    }

    private func readTails(
        of lanes: [FairRanks.Lane],
        ahead heads: [FairRanks.Lane: Int64]
    ) async throws(LedgerError) -> [FairTail] {
        let bounds: [any PostgresParameter] = [
            PostgresList(lanes.map(\.service)), PostgresList(lanes.map { Int32(clamping: $0.priority) }),
            PostgresList(optional: lanes.map { lane in heads[lane].map { $0 - lane.base } }),
        ]
        let calls = [
            PostgresCall(Self.forget, bounds), PostgresCall(Self.tails, bounds + [Int64(Self.tailsRead)]),
        ]
        guard let rows = try await run(calls, on: quick).last else { return [] }
        return try rows.map { row throws(LedgerError) in
            let lane = FairRanks.Lane(service: try row.text(), priority: try row.int())
            return FairTail(lane: lane, user: try row.text(), finish: Int64(try row.int()))
        }
    }

    // MARK: Statements

    private static let tell = PostgresStatement(
        "tell_tails",
        """
        INSERT INTO fair_tails AS t (service, priority, user_id, finish, told_at)
        SELECT service, priority, user_id, finish, statement_timestamp()
        FROM unnest($1::text[], $2::int[], $3::text[], $4::bigint[]) AS u(service, priority, user_id, finish)
        ON CONFLICT (service, priority, user_id) DO UPDATE SET finish = excluded.finish, told_at = excluded.told_at
        WHERE t.finish < excluded.finish
        """
    )

    /// One probe of the index of due jobs per lane.
    static let heads = PostgresStatement(
        "heads",
        """
        SELECT l.n, j.rank FROM unnest($1::text[], $2::bigint[], $3::bigint[])
            WITH ORDINALITY AS l(service, first, last, n)
        CROSS JOIN LATERAL (
            SELECT rank FROM jobs
            WHERE service = l.service AND state = 0 AND run_after IS NULL AND rank BETWEEN l.first AND l.last
            ORDER BY rank, id LIMIT 1
        ) j
        """
    )

    /// The furthest tail of a lane stays: it tells a process that has just started where all begin anew.
    ///
    /// A lane without due jobs may be about to get some, so its tails stay for a minute.
    private static let forget = PostgresStatement(
        "forget_tails",
        """
        WITH gone AS (
            SELECT t.service, t.priority, t.user_id
            FROM unnest($1::text[], $2::int[], $3::bigint[]) AS l(service, priority, head)
            CROSS JOIN LATERAL (
                SELECT max(finish) AS finish FROM fair_tails WHERE service = l.service AND priority = l.priority
            ) furthest
            JOIN fair_tails t ON t.service = l.service AND t.priority = l.priority AND t.finish < furthest.finish
                AND t.finish <= coalesce(l.head, furthest.finish)
                AND (l.head IS NOT NULL OR t.told_at < statement_timestamp() - interval '1 minute')
            ORDER BY t.service, t.priority, t.user_id LIMIT 10000 FOR UPDATE OF t SKIP LOCKED
        )
        DELETE FROM fair_tails t USING gone
        WHERE t.service = gone.service AND t.priority = gone.priority AND t.user_id = gone.user_id
        """
    )

    private static let tails = PostgresStatement(
        "tails",
        """
        SELECT t.service, t.priority, t.user_id, t.finish
        FROM unnest($1::text[], $2::int[], $3::bigint[]) AS l(service, priority, head)
        JOIN fair_tails t ON t.service = l.service AND t.priority = l.priority
            AND t.finish > coalesce(l.head, -9223372036854775808)
        LIMIT $4::bigint
        """
    )
}
