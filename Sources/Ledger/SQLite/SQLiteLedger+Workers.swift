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
        leases: [LeaseID]
    ) async throws(LedgerError) -> [JobRecord] {
        guard !leases.isEmpty else { return [] }
        // Losing a claim to a power failure only means that the job is claimed again.
        return try await write(isDurable: false) { [self] db in
            let now = clock()
            var records: [JobRecord] = []
            var free: [LeaseID] = []
            for lease in leases {
                if let record = try claimed(under: lease, service: service, worker: worker, db) {
                    records.append(record)
                } else {
                    free.append(lease)
                }
            }
            guard !free.isEmpty else { return records }
            let due = try db.rows(
                """
                SELECT \(JobRows.allColumns) FROM jobs
                WHERE service = ? AND state = 'waiting' AND run_after IS NULL AND (deadline IS NULL OR deadline > ?)
                ORDER BY rank, id LIMIT ?
                """,
                [service, now.microseconds, free.count],
                JobRows.record
            )
            for (record, lease) in zip(due, free) {
                guard let job = JobRules.apply(.claimed(lease: lease, worker: worker), to: record.job, at: now) else {
                    throw LedgerError(.misuse, "the statement and the rules differ on job \(record.job.id)")
                }
                try JobRows.update(job, db)
                if let task = job.task {
                    try db.run(
                        "UPDATE runs SET started_at = ? WHERE task = ? AND started_at IS NULL",
                        [now.microseconds, task.blob]
                    )
                }
                records.append(JobRecord(job: job, input: record.input, result: record.result, usage: record.usage))
            }
            return records
        }
    }

    private func claimed(
        under lease: LeaseID,
        service: String,
        worker: String,
        _ db: Database
    ) throws -> JobRecord? {
        try db.first(
            """
            SELECT \(JobRows.allColumns) FROM jobs
            WHERE lease = ? AND state = 'running' AND service = ? AND worker = ?
            """,
            [lease.blob, service, worker],
            JobRows.record
        )
    }

    /// Gives claimed jobs back.
    public func handBack(_ leases: [LeaseProbe]) async throws(LedgerError) -> [Job] {
        guard !leases.isEmpty else { return [] }
        return try await write(isDurable: false) { [self] db in
            let now = clock()
            var ready: [Job] = []
            for probe in leases {
                guard let before = try JobRows.find(probe.job, db),
                    let job = JobRules.apply(.handedBack(lease: probe.lease), to: before, at: now)
                else { continue }
                try JobRows.update(job, db)
                ready.append(job)
            }
            return ready
        }
    }

    /// Renews a worker's row and tells how its leases stand.
    public func beat(_ beat: WorkerBeat, leases: [LeaseProbe]) async throws(LedgerError) -> [LeaseProbe.Standing] {
        try await write(isDurable: false) { [self] db in
            let now = clock()
            let services = JSON.array(beat.services.map { .string($0) }).bytes
            try db.run(
                """
                INSERT INTO workers (worker, name, services, slots, running, draining, trouble, beat_at, started_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (worker) DO UPDATE SET name = excluded.name, services = excluded.services,
                    slots = excluded.slots, running = excluded.running, draining = excluded.draining,
                    trouble = excluded.trouble, beat_at = excluded.beat_at
                """,
                [
                    beat.worker, beat.name, services.blob, beat.slots, beat.running, beat.isDraining,
                    beat.trouble?.blob, now.microseconds, now.microseconds,
                ]
            )
            return try leases.map { try standing(of: $0, db) }
        }
    }

    private func standing(of probe: LeaseProbe, _ db: Database) throws -> LeaseProbe.Standing {
        let state = try db.first(
            "SELECT state FROM jobs WHERE id = ? AND lease = ?",
            [probe.job.blob, probe.lease.blob]
        ) {
            try $0.some(($0[0] as String?).flatMap(JobState.init(rawValue:)))
        }
        switch state {
        case .running: return .held
        case .cancelled, .timedOut: return .stopped
        case .waiting, .succeeded, .failed, nil: return .settled
        }
    }

    /// Removes a worker's row.
    public func retire(worker: String) async throws(LedgerError) {
        try await write(isDurable: false) { db in try db.run("DELETE FROM workers WHERE worker = ?", [worker]) }
    }

    /// The workers whose beat is younger than a minute.
    public func workers() async throws(LedgerError) -> [WorkerRecord] {
        let oldest = clock() - .seconds(60)
        return try await read { db in
            try db.rows(
                """
                SELECT worker, name, services, slots, running, draining, trouble, beat_at, started_at FROM workers
                WHERE beat_at >= ? ORDER BY worker
                """,
                [oldest.microseconds]
            ) { row in
                let services = try JSON(parsing: row.bytes(2) ?? []).array ?? []
                let beat = WorkerBeat(
                    worker: try row.some(row[0] as String?),
                    name: try row.some(row[1] as String?),
                    services: services.compactMap(\.string),
                    slots: try row.some(row[3] as Int?),
                    running: try row.some(row[4] as Int?),
                    isDraining: try row.some(row[5] as Bool?),
                    trouble: row.bytes(6)
                )
                return WorkerRecord(
                    beat: beat,
                    beatAt: try row.some(row.moment(7)),
                    startedAt: try row.some(row.moment(8))
                )
            }
        }
    }
}
