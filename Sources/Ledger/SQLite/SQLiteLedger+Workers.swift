// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
public import Ledger
import Plumbing
import Workflow

extension SQLiteLedger {
    /// Renews a worker's row and tells how its leases stand.
    public func beat(_ beat: WorkerBeat, leases: [LeaseProbe]) async throws(LedgerError) -> [LeaseProbe.Standing] {
        try await write(isDurable: false) { [self] db in
            let now = clock()
            let services = JSON.array(beat.services.map { .string($0) }).bytes
            try db.run(
                """
                INSERT INTO workers (worker, name, services, slots, running, draining, trouble, beat_at, started_at,
                    remote)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (worker) DO UPDATE SET name = excluded.name, services = excluded.services,
                    slots = excluded.slots, running = excluded.running, draining = excluded.draining,
                    trouble = excluded.trouble, beat_at = excluded.beat_at,
                    remote = excluded.remote
                """,
                [
                    beat.worker, beat.name, services.blob, beat.slots, beat.running, beat.isDraining,
                    beat.trouble?.blob, now.microseconds, now.microseconds, beat.isRemote,
                ]
            )
            return try leases.map { try standing(of: $0, db) }
        }
    }

    func standing(of probe: LeaseProbe, _ db: Database) throws -> LeaseProbe.Standing {
        let row = try db.first("SELECT state, lease FROM jobs WHERE id = ?", [probe.job.blob]) {
            (state: try $0.some(($0[0] as String?).flatMap(JobState.init(rawValue:))), lease: try $0.meshID(1))
        }
        guard let row else { return .unknown }
        guard row.lease == probe.lease else { return .settled }
        switch row.state {
        case .running: return .held
        case .cancelled, .timedOut: return .stopped
        case .waiting, .succeeded, .failed: return .settled
        }
    }

    /// The leases of jobs that were created as claimed by a worker.
    public func assigned(to worker: String, olderThan age: Duration) async throws(LedgerError) -> [LeaseProbe] {
        let latest = clock() - age
        return try await read { db in
            try db.rows(
                """
                SELECT id, lease FROM jobs
                WHERE worker = ? AND state = 'running' AND started_at = created_at AND started_at <= ? LIMIT 1000
                """,
                [worker, latest.microseconds]
            ) { row in LeaseProbe(job: try row.some(try row.meshID(0)), lease: try row.some(try row.meshID(1))) }
        }
    }

    /// Removes a worker's row.
    public func retire(worker: String) async throws(LedgerError) {
        try await write(isDurable: false) { db in try db.run("DELETE FROM workers WHERE worker = ?", [worker]) }
    }

    /// The workers whose beat is younger than ten minutes.
    public func workers() async throws(LedgerError) -> [WorkerRecord] {
        let now = clock()
        let oldest = now - .seconds(600)
        return try await read { db in
            try db.rows(
                """
                SELECT worker, name, services, slots, running, draining, trouble, beat_at, started_at, remote
                FROM workers WHERE beat_at >= ? ORDER BY worker
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
                    isRemote: try row.some(row[9] as Bool?),
                    trouble: try row.bytes(6)
                )
                let beatAt = try row.some(row.moment(7))
                return WorkerRecord(
                    beat: beat,
                    beatAt: beatAt,
                    age: now - beatAt,
                    startedAt: try row.some(row.moment(8))
                )
            }
        }
    }
}
