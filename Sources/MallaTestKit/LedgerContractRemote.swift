// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    private static func remote(
        _ count: Int = 1,
        worker: String = "r1",
        types: [String]? = nil,
        profiles: [String]? = nil,
        for duration: Duration = .seconds(30)
    ) -> RemoteClaim {
        RemoteClaim(
            service: "alpha",
            taskTypes: types,
            modelProfiles: profiles,
            worker: worker,
            leases: (0..<count).map { _ in MeshID() },
            duration: duration
        )
    }

    private static func probe(_ job: Job) throws -> LeaseProbe {
        LeaseProbe(job: job.id, lease: try unwrap(job.lease, "the lease of a claimed job"))
    }

    static let remoteCases = [
        Case("a remote claim holds by time; the same leases give the same jobs") { fixture in
            let jobs = try await fixture.create(3) { $0.rank = Int64($1) }
            let claim = remote(2)
            let before = Timestamp.now
            let first = try await fixture.ledger.claim(claim)
            try requireEqual(first.map(\.job.id), [jobs[0].id, jobs[1].id], "claimed jobs")
            for record in first {
                let until = try unwrap(record.job.leaseUntil, "the end of the lease")
                try require(until >= before + .seconds(29), "the lease ends too early: \(until)")
                try require(until <= before + .seconds(60), "the lease ends too late: \(until)")
                try requireEqual(try await fixture.job(record.job.id), record.job, "the row")
                try requireEqual([record.job.attempt, record.input.count], [1, 2], "attempt and bytes of the input")
            }
            let again = try await fixture.ledger.claim(claim)
            try requireEqual(Set(again.map(\.job)), Set(first.map(\.job)), "jobs of repeated leases")
            let beating = try await fixture.claimOne()
            try requireEqual(beating.job.id, jobs[2].id, "the job of a worker that beats")
            try require(beating.job.leaseUntil == nil, "a worker that beats holds by time")
            try requireEqual(try await fixture.ledger.claim(remote(2)).count, 0, "claims of an empty service")
            try requireEqual(try await fixture.ledger.claim(remote(0)).count, 0, "claims without a lease")
        },
        Case("a remote claim takes only the task types and model profiles that it names") { fixture in
            let jobs = try await fixture.create(5) { job, index in
                job.rank = Int64(index)
                guard index > 0 else { return }
                var labels = JobLabels()
                labels.taskType = ["t1", "t2", "t1", nil][index - 1]
                labels.modelProfile = ["p1", "p1", "p2", nil][index - 1]
                job.labels = labels
            }
            func ids(_ claim: RemoteClaim) async throws -> [JobID] {
                let claimed = try await fixture.ledger.claim(claim).map(\.job)
                _ = try await fixture.ledger.handBack(try claimed.map(probe))
                return claimed.map(\.id)
            }
            try requireEqual(try await ids(remote(9, types: ["t1"])), [jobs[1].id, jobs[3].id], "of one type")
            try requireEqual(
                try await ids(remote(9, profiles: ["p1", "p3"])),
                [jobs[1].id, jobs[2].id],
                "of profiles"
            )
            try requireEqual(try await ids(remote(9, types: ["t1", "t2"], profiles: ["p2"])), [jobs[3].id], "of both")
            try requireEqual(try await ids(remote(9, types: ["t9"])), [], "of a type that is not there")
            try requireEqual(try await ids(remote(9, types: [])), [], "of no type")
            try requireEqual(try await ids(remote(9)), jobs.map(\.id), "of any type")
        },
        Case("a lease that runs out gives the job back, whether or not its worker beats") { fixture in
            try await fixture.create(2)
            let lost = try unwrap(try await fixture.ledger.claim(remote()).first?.job, "a job")
            let kept = try unwrap(try await fixture.ledger.claim(remote(for: .seconds(600))).first?.job, "a job")
            let early = try await fixture.ledger.reap(olderThan: .zero, limit: 10)
            try requireEqual(early.ready.count + early.poison.count, 0, "reaped while the leases last")
            try await fixture.pass(.seconds(31))
            try await fixture.beat("r1")
            let reaped = try await fixture.ledger.reap(olderThan: .seconds(600), limit: 10)
            try requireEqual(reaped.ready.map(\.id), [lost.id], "reaped jobs")
            let waiting = try await fixture.job(lost.id)
            try requireEqual([waiting.orphaned, waiting.failures], [1, 0], "orphanings and failures")
            try require(waiting.leaseUntil == nil && waiting.lease == nil, "a lease is left")
            try requireEqual(try await fixture.job(kept.id).state, .running, "the state of the job that is held")
            try requireEqual(
                try await fixture.settle(Settlement(job: lost.id, event: .completed(lease: try probe(lost).lease)))
                    .verdicts,
                [.stale],
                "a completion under the old lease"
            )
            try requireEqual(
                try await fixture.ledger.attempts(ofJob: lost.id).map(\.outcome),
                ["worker_lost"],
                "the attempts of the lost job"
            )
            let beating = try await fixture.claimOne(worker: "w1")
            try require(beating.job.leaseUntil == nil, "a lease by time is left")
            try await fixture.pass(.seconds(31))
            try await fixture.beat("w1")
            let later = try await fixture.ledger.reap(olderThan: .seconds(30), limit: 10)
            try requireEqual(later.ready.count, 0, "reaped from a worker that beats")
        },
        Case("a lease is renewed from now on; one that is not held, or not by time, is only told of") { fixture in
            try await fixture.create(4)
            let held = try await fixture.ledger.claim(remote(3)).map(\.job)
            let beating = try await fixture.claimOne()
            try await fixture.settle(
                Settlement(job: held[1].id, event: .cancelled),
                .completion(held[2].id, try probe(held[2]).lease)
            )
            try await fixture.pass(.seconds(20))
            let probes = [
                try probe(held[0]), try probe(held[1]), try probe(held[2]),
                LeaseProbe(job: held[0].id, lease: MeshID()),
                LeaseProbe(job: beating.job.id, lease: beating.lease), LeaseProbe(job: MeshID(), lease: MeshID()),
                try probe(held[0]),
            ]
            try requireEqual(
                try await fixture.ledger.renew(probes, for: .seconds(40)),
                [.held, .stopped, .settled, .settled, .held, .unknown, .held],
                "standings"
            )
            try require(try await fixture.job(beating.job.id).leaseUntil == nil, "a worker that beats was renewed")
            for ended in held[1...] {
                try require(try await fixture.job(ended.id).leaseUntil == nil, "an ended job has a lease by time")
            }
            try await fixture.beat("w1")
            try await fixture.pass(.seconds(20))
            let early = try await fixture.ledger.reap(olderThan: .seconds(600), limit: 10)
            try requireEqual(early.ready.count, 0, "reaped though renewed")
            try await fixture.pass(.seconds(30))
            let late = try await fixture.ledger.reap(olderThan: .seconds(600), limit: 10)
            try requireEqual(late.ready.map(\.id), [held[0].id], "reaped")
            try requireEqual(try await fixture.ledger.renew(probes.suffix(1), for: .seconds(9)), [.settled], "standing")
            try requireEqual(try await fixture.job(held[0].id).state, .waiting, "state after a renewal that came late")
            try requireEqual(try await fixture.ledger.renew([], for: .seconds(9)), [], "standings of nothing")
        },
        Case("the tenth lease that runs out is left for the caller") { fixture in
            let job = try await fixture.create(1) { job, _ in job.orphaned = 9 }[0].id
            let claimed = try unwrap(try await fixture.ledger.claim(remote(for: .zero)).first?.job, "a job")
            try await fixture.pass(.seconds(1))
            let reaped = try await fixture.ledger.reap(olderThan: .seconds(600), limit: 10)
            try requireEqual(reaped.ready.count, 0, "requeued")
            try requireEqual(reaped.poison.map(\.id), [job], "poison")
            let event = JobEvent.orphaned(lease: try probe(claimed).lease)
            let outcome = try await fixture.settle(Settlement(job: job, event: event))
            try requireEqual(outcome.verdicts, [.applied(.failed)], "verdict")
            try requireEqual(try await fixture.job(job).error?.category, .poison, "category")
        },
        Case("remote and beating claimers at once never share a job") { fixture in
            let jobs = try await fixture.create(400)
            let claimed = try await withThrowingTaskGroup(of: [JobID].self) { group in
                for worker in 0..<4 {
                    group.addTask {
                        var mine: [JobID] = []
                        while true {
                            let batch =
                                worker.isMultiple(of: 2)
                                ? try await fixture.claim(17, worker: "w\(worker)").map(\.job.id)
                                : try await fixture.ledger.claim(remote(17, worker: "r\(worker)")).map(\.job.id)
                            if batch.isEmpty { return mine }
                            mine += batch
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            try requireEqual(claimed.count, 400, "claims")
            try requireEqual(Set(claimed), Set(jobs.map(\.id)), "claimed jobs")
        },
        Case("a remote worker's row says that it is one") { fixture in
            try await fixture.beat("w1")
            let beat = WorkerBeat(
                worker: "r1",
                name: "r",
                services: ["alpha"],
                slots: 1,
                running: 0,
                isDraining: false,
                isRemote: true
            )
            _ = try await fixture.ledger.beat(beat, leases: [])
            let workers = try await fixture.ledger.workers().map(\.beat)
            try requireEqual(workers.filter(\.isRemote).map(\.worker), ["r1"], "remote workers")
            try requireEqual(workers.count, 2, "workers")
        },
    ]
}
