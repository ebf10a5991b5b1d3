// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
public import Ledger
public import Plumbing
public import Workflow

extension SQLiteLedger {
    /// Tells how far the ranks reach that this process has given out, and reads what all have.
    public func share(_ tails: [FairTail], services: [String]) async throws(LedgerError) -> FairView {
        guard !tails.isEmpty || !services.isEmpty else { return FairView() }
        return try await write(isDurable: false) { [self] db in
            for tail in tails {
                try db.run(
                    """
                    INSERT INTO fair_tails (service, priority, user, finish) VALUES (?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET finish = max(finish, excluded.finish)
                    """,
                    [tail.lane.service, tail.lane.priority, tail.user, tail.finish]
                )
            }
            var view = FairView()
            for service in Set(services).sorted() {
                for (lane, head) in try heads(of: service, db) {
                    view.heads[lane] = head
                    // What lies behind its head says nothing any more: the user's next job starts at the head.
                    try db.run(
                        "DELETE FROM fair_tails WHERE service = ? AND priority = ? AND finish <= ?",
                        [service, lane.priority, head - lane.base]
                    )
                }
                view.tails += try db.rows(
                    "SELECT priority, user, finish FROM fair_tails WHERE service = ? ORDER BY priority, user",
                    [service]
                ) { row in
                    FairTail(
                        lane: FairRanks.Lane(service: service, priority: try row.some(row[0] as Int?)),
                        user: try row.some(row[1] as String?),
                        finish: try row.some(row[2] as Int64?)
                    )
                }
            }
            return view
        }
    }

    /// The first due rank of each lane: one step in the index a lane, from the first that has a job to the next.
    private func heads(of service: String, _ db: Database) throws -> [(lane: FairRanks.Lane, head: Int64)] {
        var heads: [(lane: FairRanks.Lane, head: Int64)] = []
        var from: Int64 = 0
        while let rank = try firstRank(of: service, from: from, db) {
            let priority = JobLabels.priorities.upperBound - Int(rank / FairRanks.Lane.span)
            let lane = FairRanks.Lane(service: service, priority: priority)
            heads.append((lane, rank))
            guard priority > JobLabels.priorities.lowerBound else { break }
            from = lane.base + FairRanks.Lane.span
        }
        return heads
    }

    private func firstRank(of service: String, from rank: Int64, _ db: Database) throws -> Int64? {
        try db.first(
            """
            SELECT rank FROM jobs WHERE service = ? AND state = 'waiting' AND run_after IS NULL AND rank >= ?
            ORDER BY rank LIMIT 1
            """,
            [service, rank]
        ) { try $0.some($0[0] as Int64?) }
    }

    /// What waits and runs for these users.
    public func loads(ofUsers users: [String]) async throws(LedgerError) -> [UserLoad] {
        guard !users.isEmpty else { return [] }
        return try await read { db in
            try users.map { user in
                var load = UserLoad(user: user)
                let counts = try db.rows(
                    "SELECT state, count(*) FROM jobs WHERE user = ? AND finished_at IS NULL GROUP BY state",
                    [user]
                ) { (state: try $0.some($0[0] as String?), count: try $0.some($0[1] as Int?)) }
                for (state, count) in counts {
                    if state == JobState.waiting.rawValue { load.waiting = count }
                    if state == JobState.running.rawValue { load.running = count }
                }
                return load
            }
        }
    }

    /// How many due jobs are claimed before this one.
    public func jobsAhead(of job: JobID, limit: Int) async throws(LedgerError) -> Int? {
        let now = clock()
        return try await read { db in
            try db.first(
                """
                SELECT (SELECT count(*) FROM (
                    SELECT 1 FROM jobs WHERE service = this.service AND state = 'waiting' AND run_after IS NULL
                        AND (rank, id) < (this.rank, this.id) AND (deadline IS NULL OR deadline > ?)
                    LIMIT ?))
                FROM jobs this WHERE id = ? AND state = 'waiting' AND run_after IS NULL
                """,
                [now.microseconds, limit, job.blob]
            ) { try $0.some($0[0] as Int?) }
        }
    }
}
