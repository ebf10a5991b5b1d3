// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Ledger
import Plumbing
import Workflow

/// A service's queue on a real ledger, as several processes with a ranking each fill it and workers empty it.
struct FairQueue {
    let ledger: any Ledger
    let service = "alpha"

    /// Ranks that are given out, as records that are still to be created.
    func ranked(_ count: Int, of user: String, priority: Int = 0, by ranking: FairRanking) -> [JobRecord] {
        let now = Timestamp.now
        var labels = JobLabels()
        labels.user = user
        labels.priority = priority
        return (0..<count).map { _ in
            let rank = ranking.rank(service: service, user: user, priority: priority)
            let job = Job(id: MeshID(at: now), service: service, rank: rank, createdAt: now, labels: labels)
            return JobRecord(job: job, input: Array("{}".utf8))
        }
    }

    func create(_ records: [JobRecord]) async throws {
        for start in stride(from: 0, to: records.count, by: 1000) {
            try await ledger.create(Array(records[start..<min(start + 1000, records.count)]))
        }
    }

    func add(_ count: Int, of user: String, priority: Int = 0, by ranking: FairRanking) async throws {
        try await create(ranked(count, of: user, priority: priority, by: ranking))
    }

    /// Claims jobs as workers do; the users whose they are, in the order of the claims.
    func claim(_ count: Int) async throws -> [String] {
        var users: [String] = []
        while users.count < count {
            let leases = (0..<min(500, count - users.count)).map { _ in MeshID() }
            let jobs = try await ledger.claim(service: service, worker: "w", leases: leases)
            users += jobs.map(\.job).sorted { ($0.rank, $0.id) < ($1.rank, $1.id) }.map { $0.labels?.user ?? "" }
            if jobs.count < leases.count { break }
        }
        return users
    }
}
