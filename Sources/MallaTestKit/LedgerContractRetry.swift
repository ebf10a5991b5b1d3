// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    private static let mishap = JobError(.handler, "boom", isFinal: true)

    static let retryCases = [
        Case("a failed job that is retried begins anew, and its next end counts") { fixture in
            let now = Timestamp.now
            try await fixture.create { job, _ in
                job.createdAt = now - .seconds(20)
                job.deadline = now + .seconds(40)
            }
            let first = try await fixture.claimOne()
            let failed = Settlement(
                job: first.job.id,
                event: .failed(lease: first.lease, mishap),
                usage: Array("{\"gpu_ms\":1}".utf8)
            )
            try requireEqual(try await fixture.settle(failed).verdicts, [.applied(.failed)], "verdict of the failure")
            let retried = try await fixture.settle(Settlement(job: first.job.id, event: .retried))
            try requireEqual(retried.verdicts, [.applied(.waiting)], "verdict of the retry")
            try requireEqual(retried.ready.map(\.id), [first.job.id], "ready jobs")
            let job = try await fixture.job(first.job.id)
            try requireEqual(job, try unwrap(retried.ready.first, "the ready job"), "the row")
            try requireEqual(job.state, .waiting, "state")
            try requireEqual([job.failures, job.deaths, job.orphaned, job.attempt], [0, 0, 0, 1], "counters")
            try require(job.error == nil && job.finishedAt == nil && job.lease == nil, "an end is left: \(job)")
            let deadline = try unwrap(job.deadline, "the deadline")
            try require(deadline >= now + .seconds(60), "the deadline is as near as before: \(deadline)")
            let second = try await fixture.claimOne()
            try requireEqual(second.job.attempt, 2, "attempt")
            let end = try await fixture.settle(
                .completion(first.job.id, first.lease),
                .completion(first.job.id, second.lease, "2")
            )
            try requireEqual(end.verdicts, [.stale, .applied(.succeeded)], "verdicts at the end")
            try requireEqual(try await fixture.ledger.job(first.job.id)?.result, Array("2".utf8), "result")
            try require(try await fixture.job(first.job.id).error == nil, "an error of a job that succeeded")
        },
        Case("a retry makes a waiting job due and takes a running one away; what ended well stays") { fixture in
            let later = Timestamp.now + .seconds(600)
            let jobs = try await fixture.create(3) { job, index in
                if index == 0 { job.runAfter = later }
                job.rank = Int64(index)
            }
            let running = try await fixture.claimOne()
            try requireEqual(running.job.id, jobs[1].id, "the claimed job")
            let outcome = try await fixture.settle(all: jobs.map { Settlement(job: $0.id, event: .retried) })
            try requireEqual(outcome.verdicts, [.applied(.waiting), .applied(.waiting), .stale], "verdicts")
            try requireEqual(Set(outcome.ready.map(\.id)), [jobs[0].id, jobs[1].id], "ready jobs")
            try requireEqual(
                try await fixture.beat("w1", leases: [LeaseProbe(job: running.job.id, lease: running.lease)]),
                [.settled],
                "the standing of the lease that was taken away"
            )
            let claimed = try await fixture.claim(3)
            try requireEqual(claimed.map(\.job.id), jobs.map(\.id), "claimable jobs")
            try requireEqual(claimed[1].job.failures, 0, "failures of a job that was taken away")
            try await fixture.settle(
                .completion(claimed[0].job.id, claimed[0].lease),
                Settlement(job: claimed[1].job.id, event: .cancelled)
            )
            let ended = try await fixture.settle(
                Settlement(job: claimed[0].job.id, event: .retried),
                Settlement(job: claimed[1].job.id, event: .retried),
                Settlement(job: MeshID(), event: .retried)
            )
            try requireEqual(ended.verdicts, [.stale, .stale, .unknown], "verdicts on what ended well")
        },
        Case("a direct job past its deadline is retried with a new one") { fixture in
            let now = Timestamp.now
            let job = try await fixture.create { job, _ in
                job.createdAt = now - .seconds(100)
                job.deadline = now - .seconds(10)
            }[0]
            let due = try await fixture.ledger.overdue(apps: nil, limit: 10)
            try requireEqual(try await fixture.settle(all: due.jobs).verdicts, [.applied(.timedOut)], "verdicts")
            let retried = try await fixture.settle(Settlement(job: job.id, event: .retried))
            try requireEqual(retried.verdicts, [.applied(.waiting)], "verdict of the retry")
            try requireEqual(try await fixture.ledger.overdue(apps: nil, limit: 10).jobs.count, 0, "overdue again")
            try requireEqual(
                try await fixture.ledger.sweep(finishedBefore: now + .seconds(600), limit: 10),
                0,
                "swept though it waits"
            )
            try requireEqual(try await fixture.claimOne().job.id, job.id, "the claimed job")
        },
        Case("a job of a task that failed is not retried: its run has counted it") { fixture in
            let task = try await fixture.accept(fixture.fanAll, payload: "{\"n\":1}")
            let (job, lease) = try await fixture.claimOne()
            try await fixture.settle(Settlement(job: job.id, event: .failed(lease: lease, mishap)))
            let retried = try await fixture.settle(Settlement(job: job.id, event: .retried))
            try requireEqual(retried.verdicts, [.stale], "verdict")
            try requireEqual(try await fixture.view(task).task.state, .failed, "the task's state")
        },
    ]

    static let historyCases = [
        Case("attempts that did not succeed are kept with their worker and end; a success adds none") { fixture in
            let job = try await fixture.create { job, _ in
                job.maxAttempts = 9
                job.timeout = .seconds(10)
                job.backoff = Backoff(base: .zero, cap: .zero, jitter: 0)
            }[0].id
            let error = JobError(.provider, "said \"no\"", isFinal: false, field: "/x")
            func next(_ worker: String) async throws -> LeaseID {
                _ = try await fixture.ledger.promote(limit: 10)
                return try await fixture.claimOne(worker: worker).lease
            }
            try await fixture.settle(Settlement(job: job, event: .failed(lease: try await next("w1"), error)))
            try await fixture.settle(Settlement(job: job, event: .handlerDied(lease: try await next("w2"), error)))
            _ = try await fixture.ledger.handBack([LeaseProbe(job: job, lease: try await next("w3"))])
            _ = try await next("w4")
            try await fixture.ledger.retire(worker: "w4")
            _ = try await fixture.ledger.reap(olderThan: .seconds(60), limit: 10)
            _ = try await next("w5")
            try await fixture.pass(.seconds(31))
            try await fixture.settle(all: try await fixture.ledger.overdue(apps: nil, limit: 10).jobs)
            _ = try await next("w6")
            try await fixture.settle(Settlement(job: job, event: .retried))
            _ = try await next("w7")
            try await fixture.settle(Settlement(job: job, event: .cancelled))
            let attempts = try await fixture.ledger.attempts(ofJob: job)
            try requireEqual(
                attempts.map(\.outcome),
                ["failed", "handler_died", "handed_back", "worker_lost", "timed_out", "retried", "cancelled"],
                "outcomes"
            )
            try requireEqual(attempts.map(\.worker), (1...7).map { "w\($0)" }, "workers")
            try requireEqual(attempts.map(\.attempt), Array(1...7), "numbers")
            try requireEqual(attempts[0].error, error, "the error of a failure")
            try requireEqual(attempts[1].error, error, "the error of a death")
            try requireEqual(attempts[4].error?.category, .timeout, "the category of a time-out")
            for attempt in attempts {
                let start = try unwrap(attempt.startedAt, "the start of an attempt")
                try require(start <= attempt.endedAt, "an attempt ended before it began: \(attempt)")
            }

            try await fixture.create(1, service: "beta")
            let good = try await fixture.claimOne(service: "beta")
            try await fixture.settle(.completion(good.job.id, good.lease))
            try requireEqual(try await fixture.ledger.attempts(ofJob: good.job.id), [], "attempts of a success")
            try requireEqual(try await fixture.ledger.attempts(ofJob: MeshID()), [], "attempts of no job")
        },
        Case("the last 20 attempts are kept at least, and what ends without running adds none") { fixture in
            let job = try await fixture.create(1)[0].id
            for _ in 0..<25 {
                _ = try await fixture.ledger.handBack([LeaseProbe(job: job, lease: try await fixture.claimOne().lease)])
            }
            try await fixture.settle(Settlement(job: job, event: .cancelled))
            let attempts = try await fixture.ledger.attempts(ofJob: job)
            try requireEqual(attempts.suffix(20).map(\.attempt), Array(6...25), "the last attempts")
            try require(attempts.allSatisfy { $0.outcome == "handed_back" }, "outcomes: \(attempts)")
        },
        Case("jobs that end with their task leave their attempts") { fixture in
            let task = try await fixture.accept(fixture.fanAll, payload: "{\"n\":2}")
            let running = try await fixture.claimOne()
            try await fixture.settle(task: task, .cancelled)
            let attempts = try await fixture.ledger.attempts(ofJob: running.job.id)
            try requireEqual(attempts.map(\.outcome), ["cancelled"], "outcomes")
            try requireEqual(attempts.first?.worker, "w1", "worker")
            let jobs = try await fixture.ledger.jobs(ofTask: task, limit: 9)
            let waited = try unwrap(jobs.first { $0.id != running.job.id }, "the job that waited")
            try requireEqual(try await fixture.ledger.attempts(ofJob: waited.id), [], "attempts of one that waited")
        },
    ]
}
