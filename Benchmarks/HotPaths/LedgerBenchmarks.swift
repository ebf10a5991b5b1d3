// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Benchmark
import Ledger
import LedgerSQLite
import MallaTestKit
import Plumbing
import Workflow

/// The embedded ledger, in memory: 100 tasks of two stages accepted, claimed and settled in batches.
enum LedgerBenchmarks {
    static func register() {
        Benchmark("embedded ledger: 100 chains of two") { benchmark in
            let ledger = try SQLiteLedger.inMemory()
            try await ledger.migrate()
            let fixture = try await LedgerFixture(ledger: ledger, advanceClock: nil)
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                let requests = (0..<100).map { _ in fixture.request(fixture.chain) }
                blackHole(try await ledger.accept(requests))
                for service in ["alpha", "beta"] { try await run(service, on: fixture) }
            }
            benchmark.stopMeasurement()
            await ledger.close()
        }
    }

    /// Claims 100 jobs of a service and settles them.
    private static func run(_ service: String, on fixture: LedgerFixture) async throws {
        let leases = (0..<100).map { _ in LeaseID() }
        let claimed = try await fixture.ledger.claim(service: service, worker: "benchmark", leases: leases)
        guard claimed.count == leases.count else { throw NothingToDo() }
        let settlements = claimed.compactMap { record in
            record.job.lease.map {
                Settlement(job: record.job.id, event: .completed(lease: $0), result: EnvelopeBenchmarks.payload)
            }
        }
        let outcome = try await fixture.ledger.settle(settlements, tasks: [], finishing: fixture.finishing)
        guard outcome.verdicts.allSatisfy({ $0 == .applied }) else { throw NothingToDo() }
    }

    private struct NothingToDo: Error {}
}
