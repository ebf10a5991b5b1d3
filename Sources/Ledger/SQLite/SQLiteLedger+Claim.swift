// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
public import Ledger
public import Plumbing
public import Workflow

extension SQLiteLedger {
    /// Claims due jobs, first by rank.
    public func claim(
        service: String,
        worker: String,
        leases: [LeaseID],
        from rank: Int64?
    ) async throws(LedgerError) -> [JobRecord] {
        let claim = RemoteClaim(service: service, worker: worker, leases: leases, duration: .zero)
        return try await self.claim(claim, from: rank ?? .min, byTime: false)
    }

    /// Claims due jobs for a worker that holds them by time.
    public func claim(_ claim: RemoteClaim) async throws(LedgerError) -> [JobRecord] {
        try await self.claim(claim, from: .min, byTime: true)
    }

    private func claim(
        _ claim: RemoteClaim,
        from rank: Int64,
        byTime: Bool
    ) async throws(LedgerError) -> [JobRecord] {
        guard !claim.leases.isEmpty else { return [] }
        // Losing a claim to a power failure only means that the job is claimed again.
        return try await write(isDurable: false) { [self] db in
            let now = clock()
            var records: [JobRecord] = []
            var free: [LeaseID] = []
            for lease in claim.leases {
                if let record = try claimed(under: lease, claim, db) {
                    records.append(record)
                } else {
                    free.append(lease)
                }
            }
            guard !free.isEmpty else { return records }
            for (record, lease) in zip(try due(claim, from: rank, limit: free.count, at: now, db), free) {
                let event = JobEvent.claimed(lease: lease, worker: claim.worker)
                guard var job = JobRules.apply(event, to: record.job, at: now) else {
                    throw LedgerError(.misuse, "the statement and the rules differ on job \(record.job.id)")
                }
                job.leaseUntil = byTime ? now + claim.duration : nil
                try JobRows.update(job, db)
                try TaskRows.begin(job, db)
                records.append(JobRecord(job: job, input: record.input, result: record.result, usage: record.usage))
            }
            return records
        }
    }

    private func due(
        _ claim: RemoteClaim,
        from rank: Int64,
        limit: Int,
        at now: Timestamp,
        _ db: Database
    ) throws -> [JobRecord] {
        var condition = SQLCondition()
        condition.add("service", equals: claim.service)
        condition.add("(deadline IS NULL OR deadline > ?)", now.microseconds)
        condition.add("task_type", in: claim.taskTypes)
        condition.add("model_profile", in: claim.modelProfiles)
        return try db.rows(
            """
            SELECT \(JobRows.allColumns) FROM jobs WHERE \(condition.sql) AND state = 'waiting' AND run_after IS NULL
                AND rank >= ?
            ORDER BY rank, id LIMIT ?
            """,
            StatementArguments(condition.values + [rank, Int64(limit)]),
            JobRows.record
        )
    }

    private func claimed(under lease: LeaseID, _ claim: RemoteClaim, _ db: Database) throws -> JobRecord? {
        // The pluses leave only the index of leases, which finds one row; by service it would walk through all that run.
        try db.first(
            """
            SELECT \(JobRows.allColumns) FROM jobs
            WHERE lease = ? AND state = 'running' AND +service = ? AND +worker = ?
            """,
            [lease.blob, claim.service, claim.worker],
            JobRows.record
        )
    }

    /// Makes leases of remote workers last longer.
    public func renew(
        _ leases: [LeaseProbe],
        for duration: Duration
    ) async throws(LedgerError) -> [LeaseProbe.Standing] {
        guard !leases.isEmpty else { return [] }
        return try await write(isDurable: false) { [self] db in
            let until = clock() + duration
            return try leases.map { probe in
                try db.run(
                    """
                    UPDATE jobs SET lease_until = ?
                    WHERE id = ? AND lease = ? AND state = 'running' AND lease_until IS NOT NULL
                    """,
                    [until.microseconds, probe.job.blob, probe.lease.blob]
                )
                return try standing(of: probe, db)
            }
        }
    }

    /// Gives claimed jobs back.
    public func handBack(_ leases: [LeaseProbe]) async throws(LedgerError) -> [Job] {
        guard !leases.isEmpty else { return [] }
        return try await write(isDurable: false) { [self] db in
            let now = clock()
            var ready: [Job] = []
            for probe in leases {
                let event = JobEvent.handedBack(lease: probe.lease)
                guard let before = try JobRows.find(probe.job, db),
                    let job = JobRules.apply(event, to: before, at: now)
                else { continue }
                try JobRows.update(job, db)
                try JobHistory.note(event, on: before, at: now, db)
                ready.append(job)
            }
            return ready
        }
    }
}
