// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    static let claimCases = [
        Case("claims go by rank, then by id; the same leases give the same jobs") { fixture in
            let ranks: [Int64] = [30, 10, 20, 10]
            let jobs = try await fixture.create(4) { $0.rank = ranks[$1] }
            try await fixture.beat("w1")
            let leases = (0..<2).map { _ in MeshID() }
            let first = try await fixture.ledger.claim(service: "alpha", worker: "w1", leases: leases)
            let tied = [jobs[1].id, jobs[3].id].sorted()
            try requireEqual(first.map(\.job.id), tied, "the first two by rank and id")
            try requireEqual(Set(first.compactMap(\.job.lease)), Set(leases), "leases")
            for record in first {
                try requireEqual(record.job.state, .running, "state")
                try requireEqual(record.job.attempt, 1, "attempt")
                try requireEqual(record.job.worker, "w1", "worker")
                try require(record.job.startedAt != nil, "a claimed job has no start")
                try requireEqual(record.input, Array("{}".utf8), "input")
            }
            let again = try await fixture.ledger.claim(service: "alpha", worker: "w1", leases: leases)
            try requireEqual(Set(again.map(\.job.id)), Set(tied), "jobs of repeated leases")
            try require(again.allSatisfy { $0.job.attempt == 1 }, "a repeated claim counted as an attempt")
            for record in again {
                let before = first.first { $0.job.id == record.job.id }
                try requireEqual(record.job.lease, before?.job.lease, "the lease of a repeated claim")
            }
            let rest = try await fixture.claim(5)
            try requireEqual(rest.map(\.job.id), [jobs[2].id, jobs[0].id], "the rest by rank")
        },
        Case("a claim from a rank on passes over what comes before, and tells of its leases all the same") { fixture in
            let ranks: [Int64] = [30, 10, 20, 40]
            let jobs = try await fixture.create(4) { $0.rank = ranks[$1] }
            try await fixture.beat("w1")
            let leases = (0..<2).map { _ in MeshID() }
            let found = try await fixture.ledger.claim(service: "alpha", worker: "w1", leases: leases, from: 20)
            try requireEqual(found.map(\.job.id), [jobs[2].id, jobs[0].id], "the first two from 20 on")
            let again = try await fixture.ledger.claim(service: "alpha", worker: "w1", leases: leases, from: 1000)
            try requireEqual(Set(again.map(\.job.id)), Set(found.map(\.job.id)), "jobs of repeated leases")
            let late = try await fixture.ledger.claim(service: "alpha", worker: "w1", leases: [MeshID()], from: 41)
            try requireEqual(late.count, 0, "jobs beyond the last rank")
            try requireEqual(try await fixture.claim(5).map(\.job.id), [jobs[1].id, jobs[3].id], "the rest by rank")
        },
        Case("a claim finds nothing: no jobs, no leases, another service") { fixture in
            try requireEqual(try await fixture.claim(3).count, 0, "claims of an empty service")
            try await fixture.create(1)
            try requireEqual(try await fixture.claim(0).count, 0, "claims without a lease")
            try requireEqual(try await fixture.claim(1, service: "beta").count, 0, "claims of another service")
        },
        Case("runAfter and deadline guard a claim") { fixture in
            let now = Timestamp.now
            let jobs = try await fixture.create(3) { job, index in
                if index == 0 { job.runAfter = now + .seconds(30) }
                if index == 1 { job.deadline = now - .seconds(60) }
            }
            try requireEqual(try await fixture.claim(3).map(\.job.id), [jobs[2].id], "claimable jobs")
            try await fixture.pass(.seconds(40))
            try requireEqual(try await fixture.ledger.promote(limit: 100), ["alpha": 1], "promoted jobs")
            let later = try await fixture.claim(3)
            try requireEqual(later.map(\.job.id), [jobs[0].id], "claimable jobs later")
            try require(later[0].job.runAfter == nil, "a claimed job still has runAfter")
        },
        Case("claimers at once never share a job") { fixture in
            let jobs = try await fixture.create(1000)
            let claimed = try await withThrowingTaskGroup(of: [JobID].self) { group in
                for worker in 0..<4 {
                    group.addTask {
                        var mine: [JobID] = []
                        while true {
                            let batch = try await fixture.claim(37, worker: "w\(worker)")
                            if batch.isEmpty { return mine }
                            mine += batch.map(\.job.id)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            try requireEqual(claimed.count, 1000, "claims")
            try requireEqual(Set(claimed), Set(jobs.map(\.id)), "claimed jobs")
        },
        Case("10,000 jobs are created, claimed and settled at once") { fixture in
            let jobs = try await fixture.create(10_000)
            try requireEqual(
                try await fixture.ledger.loads(of: ["alpha"]),
                [ServiceLoad(service: "alpha", waiting: 10_000, due: 10_000)],
                "loads"
            )
            let claimed = try await fixture.claim(10_000)
            try requireEqual(Set(claimed.map(\.job.id)), Set(jobs.map(\.id)), "claimed jobs")
            try requireEqual(Set(claimed.map(\.lease)).count, 10_000, "leases")
            let outcome = try await fixture.settle(all: claimed.map { .completion($0.job.id, $0.lease) })
            try requireEqual(outcome.verdicts.count, 10_000, "verdicts")
            try require(outcome.verdicts.allSatisfy { $0 == .applied(.succeeded) }, "a completion was refused")
            try requireEqual(try await fixture.ledger.loads(of: ["alpha"]), [ServiceLoad(service: "alpha")], "loads")
            try requireEqual(
                try await fixture.ledger.sweep(finishedBefore: .now + .seconds(60), limit: 20_000),
                10_000,
                "swept"
            )
        },
    ]
}
