// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    private static let mishap = JobError(.handler, "boom")

    static let jobCases = [
        Case("a completion ends a job once, whatever its bytes") { fixture in
            let jobs = try await fixture.create(2)
            let claimed = try await fixture.claim(2)
            let odd: [UInt8] = Array("{\"a\":\"\\u0000\",\"b\":\"".utf8) + [0, 0xFF, 0xC3, 0x28] + Array("\"}".utf8)
            let outcome = try await fixture.settle(
                Settlement(
                    job: claimed[0].job.id,
                    event: .completed(lease: claimed[0].lease),
                    result: odd,
                    usage: Array("{\"gpu_ms\":3}".utf8)
                ),
                .completion(claimed[0].job.id, claimed[0].lease, "{\"second\":true}"),
                .completion(claimed[1].job.id, claimed[1].lease),
                .completion(MeshID(), MeshID())
            )
            try requireEqual(
                outcome.verdicts,
                [.applied(.succeeded), .stale, .applied(.succeeded), .unknown],
                "verdicts"
            )
            let record = try unwrap(try await fixture.ledger.job(claimed[0].job.id), "the job")
            try requireEqual(record.result, odd, "result")
            try requireEqual(record.usage, Array("{\"gpu_ms\":3}".utf8), "usage")
            try requireEqual(record.job.state, .succeeded, "state")
            try require(record.job.finishedAt != nil, "a job that ended has no end")
            let repeated = try await fixture.settle(
                .completion(claimed[0].job.id, claimed[0].lease),
                Settlement(job: jobs[1].id, event: .cancelled)
            )
            try requireEqual(repeated.verdicts, [.stale, .stale], "verdicts on final jobs")
            try requireEqual(try await fixture.ledger.job(claimed[0].job.id)?.result, odd, "result after a repeat")
        },
        Case("a failure waits with back-off until maxAttempts, a final error ends at once") { fixture in
            let jobs = try await fixture.create(2) { job, _ in
                job.maxAttempts = 2
                job.backoff = Backoff(base: .seconds(20), cap: .seconds(60), jitter: 0)
            }
            let claimed = try await fixture.claim(2)
            let first = try unwrap(claimed.first { $0.job.id == jobs[0].id }, "the first job")
            let second = try unwrap(claimed.first { $0.job.id == jobs[1].id }, "the second job")
            let outcome = try await fixture.settle(
                Settlement(job: first.job.id, event: .failed(lease: first.lease, mishap)),
                Settlement(
                    job: second.job.id,
                    event: .failed(lease: second.lease, JobError(.invalidInput, "no\u{0} image", field: "/image"))
                )
            )
            try requireEqual(outcome.verdicts, [.applied(.waiting), .applied(.failed)], "verdicts")
            let waiting = try await fixture.job(first.job.id)
            try requireEqual(waiting.failures, 1, "failures")
            try requireEqual(waiting.error, mishap, "error")
            try require(waiting.runAfter != nil && waiting.lease == nil, "no back-off, or a lease left")
            let failed = try await fixture.job(second.job.id)
            try requireEqual(failed.error, JobError(.invalidInput, "no\u{0} image", field: "/image"), "final error")
            try requireEqual(try await fixture.claim(2).count, 0, "claims during the back-off")
            try await fixture.pass(.seconds(30))
            _ = try await fixture.ledger.promote(limit: 10)
            let last = try await fixture.claimOne()
            try requireEqual(last.job.attempt, 2, "attempt")
            let end = try await fixture.settle(
                Settlement(job: last.job.id, event: .failed(lease: last.lease, mishap))
            )
            try requireEqual(end.verdicts, [.applied(.failed)], "verdict at maxAttempts")
        },
        Case("handing back costs nothing, and a stale lease is passed over") { fixture in
            try await fixture.create(1)
            let (job, lease) = try await fixture.claimOne()
            let stale = LeaseProbe(job: job.id, lease: MeshID())
            try requireEqual(try await fixture.ledger.handBack([stale]).count, 0, "jobs handed back by a stale lease")
            let back = try await fixture.ledger.handBack([LeaseProbe(job: job.id, lease: lease), stale])
            try requireEqual(back.map(\.id), [job.id], "jobs handed back")
            let waiting = try await fixture.job(job.id)
            try requireEqual(waiting.state, .waiting, "state")
            try requireEqual([waiting.failures, waiting.deaths, waiting.orphaned], [0, 0, 0], "counters")
            let other = try await fixture.claimOne(worker: "w2")
            try requireEqual(other.job.attempt, 2, "attempt")
            let outcome = try await fixture.settle(
                .completion(job.id, lease),
                Settlement(job: job.id, event: .failed(lease: lease, mishap)),
                .completion(job.id, other.lease)
            )
            try requireEqual(outcome.verdicts, [.stale, .stale, .applied(.succeeded)], "verdicts")
        },
        Case("the second death of its handler's process is poison") { fixture in
            try await fixture.create(1)
            let first = try await fixture.claimOne()
            let one = try await fixture.settle(
                Settlement(job: first.job.id, event: .handlerDied(lease: first.lease, mishap))
            )
            try requireEqual(one.verdicts, [.applied(.waiting)], "verdict of the first death")
            try requireEqual(one.ready.map(\.id), [first.job.id], "ready jobs")
            let second = try await fixture.claimOne()
            let two = try await fixture.settle(
                Settlement(job: first.job.id, event: .handlerDied(lease: second.lease, mishap))
            )
            try requireEqual(two.verdicts, [.applied(.failed)], "verdict of the second death")
            let job = try await fixture.job(first.job.id)
            try requireEqual(job.error?.category, .poison, "category")
            try requireEqual([job.deaths, job.failures], [2, 0], "deaths and failures")
        },
        Case("a waiting and a running job are cancelled; what its worker says later is stale") { fixture in
            try await fixture.create(2)
            let running = try await fixture.claimOne()
            let jobs = try await fixture.jobs { $0.services = ["alpha"] }
            let outcome = try await fixture.settle(all: jobs.map { Settlement(job: $0.id, event: .cancelled) })
            try requireEqual(outcome.verdicts, [.applied(.cancelled), .applied(.cancelled)], "verdicts")
            let standing = try await fixture.beat(
                "w1",
                leases: [LeaseProbe(job: running.job.id, lease: running.lease)]
            )
            try requireEqual(standing, [.stopped], "standing of a cancelled job")
            let late = try await fixture.settle(.completion(running.job.id, running.lease))
            try requireEqual(late.verdicts, [.stale], "verdict of a late completion")
            try requireEqual(try await fixture.claim(2).count, 0, "claims of cancelled jobs")
        },
        Case("leases stand as held, stopped, settled or unknown, in order") { fixture in
            try await fixture.create(4)
            let claimed = try await fixture.claim(4)
            try await fixture.settle(
                .completion(claimed[1].job.id, claimed[1].lease),
                Settlement(job: claimed[2].job.id, event: .cancelled)
            )
            _ = try await fixture.ledger.handBack([LeaseProbe(job: claimed[3].job.id, lease: claimed[3].lease)])
            let probes = claimed.map { LeaseProbe(job: $0.job.id, lease: $0.lease) }
            let strange = LeaseProbe(job: MeshID(), lease: MeshID())
            let wrongLease = LeaseProbe(job: claimed[0].job.id, lease: MeshID())
            let standings = try await fixture.beat("w1", leases: probes + [strange, wrongLease, probes[0]])
            try requireEqual(
                standings,
                [.held, .settled, .stopped, .settled, .unknown, .settled, .held],
                "standings"
            )
            try requireEqual(try await fixture.beat("w1"), [], "standings of no lease")
        },
        Case("the same completions from many at once count once") { fixture in
            try await fixture.create(100)
            let claimed = try await fixture.claim(100)
            let completions = claimed.map { Settlement.completion($0.job.id, $0.lease) }
            let verdicts = try await withThrowingTaskGroup(of: [SettleOutcome.Verdict].self) { group in
                for round in 0..<8 {
                    let mine = round.isMultiple(of: 2) ? completions : completions.reversed()
                    group.addTask { try await fixture.settle(all: mine).verdicts }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            try requireEqual(verdicts.count { $0 == .applied(.succeeded) }, 100, "applied completions")
            try requireEqual(verdicts.count { $0 == .stale }, 700, "stale completions")
        },
    ]
}
