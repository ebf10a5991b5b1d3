// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    static let timeCases = [
        Case("times are given out by the ledger's clock, whatever this machine's says") { fixture in
            let clock = LedgerClock(fixture.ledger)
            try await fixture.pass(.seconds(30))
            let before = try await fixture.ledger.time()
            try await clock.refresh()
            let told = clock.now
            let after = try await fixture.ledger.time()
            try require(told >= before - .milliseconds(5), "the clock is behind the ledger's")
            try require(told <= after + .milliseconds(5), "the clock is before the ledger's")
        },
        Case("the reaper requeues the jobs of dead workers, and leaves those of living ones") { fixture in
            try await fixture.create(3)
            let dead = try await fixture.claimOne(worker: "dead")
            try await fixture.pass(.seconds(40))
            let living = try await fixture.claimOne(worker: "living")
            let early = try await fixture.ledger.reap(olderThan: .seconds(60), limit: 10)
            try requireEqual(early.ready.count + early.poison.count, 0, "reaped too early")
            let reaped = try await fixture.ledger.reap(olderThan: .seconds(30), limit: 10)
            try requireEqual(reaped.ready.map(\.id), [dead.job.id], "reaped jobs")
            let job = try await fixture.job(dead.job.id)
            try requireEqual(job.state, .waiting, "state")
            try requireEqual([job.orphaned, job.failures], [1, 0], "orphanings and failures")
            try requireEqual(try await fixture.job(living.job.id).state, .running, "the living worker's job")
            try requireEqual(
                try await fixture.beat("dead", leases: [LeaseProbe(job: dead.job.id, lease: dead.lease)]),
                [.settled],
                "the standing of a reaped lease"
            )
            try requireEqual(
                try await fixture.settle(.completion(dead.job.id, dead.lease)).verdicts,
                [.stale],
                "a dead worker's completion"
            )
        },
        Case("the reaper tells dead workers from living ones, whatever their names and however many jobs each holds") {
            fixture in
            try await fixture.create(40)
            var lost: Set<JobID> = []
            for name in ["b", "d", "f"] {
                for _ in 0..<6 { lost.insert(try await fixture.claimOne(worker: name).job.id) }
            }
            try await fixture.pass(.seconds(40))
            for name in ["a", "c", "g"] { for _ in 0..<3 { _ = try await fixture.claimOne(worker: name) } }
            let first = try await fixture.ledger.reap(olderThan: .seconds(30), limit: 8)
            try requireEqual(first.ready.count, 8, "a batch of the jobs of two workers")
            let rest = try await fixture.ledger.reap(olderThan: .seconds(30), limit: 100)
            try requireEqual(Set((first.ready + rest.ready).map(\.id)), lost, "reaped jobs")
            let none = try await fixture.ledger.reap(olderThan: .seconds(30), limit: 100)
            try requireEqual(none.ready.count + none.poison.count, 0, "reaped twice")
        },
        Case("a worker without a row counts as dead; the tenth orphaning is left for the caller") { fixture in
            try await fixture.create(1)
            for round in 1...9 {
                let (job, _) = try await fixture.claimOne()
                try await fixture.ledger.retire(worker: "w1")
                let reaped = try await fixture.ledger.reap(olderThan: .seconds(60), limit: 10)
                try requireEqual(reaped.ready.map(\.id), [job.id], "reaped in round \(round)")
                try requireEqual(reaped.ready.first?.orphaned, round, "orphanings")
            }
            let (job, lease) = try await fixture.claimOne()
            try await fixture.ledger.retire(worker: "w1")
            let last = try await fixture.ledger.reap(olderThan: .seconds(60), limit: 10)
            try requireEqual(last.ready.count, 0, "requeued")
            try requireEqual(last.poison.map(\.id), [job.id], "poison")
            try requireEqual(try await fixture.job(job.id).state, .running, "the state of poison")
            let outcome = try await fixture.settle(Settlement(job: job.id, event: .orphaned(lease: lease)))
            try requireEqual(outcome.verdicts, [.applied(.failed)], "verdict")
            try requireEqual(try await fixture.job(job.id).error?.category, .poison, "category")
        },
        Case("attempts and direct jobs past their time are found and settled") { fixture in
            let now = Timestamp.now
            let jobs = try await fixture.create(3) { job, index in
                if index == 0 { job.timeout = .seconds(10) }
                if index == 1 { job.deadline = now + .seconds(20) }
                job.rank = Int64(index)
            }
            _ = try await fixture.claimOne()
            let early = try await fixture.ledger.overdue(apps: nil, limit: 10)
            try requireEqual(early.jobs.count, 0, "overdue too early")
            try await fixture.pass(.seconds(30))
            let due = try await fixture.ledger.overdue(apps: nil, limit: 10)
            try requireEqual(Set(due.jobs.map(\.job)), [jobs[0].id, jobs[1].id], "overdue jobs")
            let outcome = try await fixture.settle(all: due.jobs)
            try requireEqual(
                Dictionary(zip(due.jobs.map(\.job), outcome.verdicts)) { first, _ in first },
                [jobs[0].id: .applied(.waiting), jobs[1].id: .applied(.timedOut)],
                "verdicts"
            )
            try requireEqual(try await fixture.job(jobs[0].id).error?.category, .timeout, "category")
            try requireEqual(try await fixture.job(jobs[0].id).failures, 1, "failures")
            try requireEqual(try await fixture.ledger.overdue(apps: nil, limit: 10).jobs.count, 0, "overdue again")
        },
        Case("an attempt of a task's job past its time is found for its app only") { fixture in
            _ = try await fixture.accept(fixture.chain)
            let first = try await fixture.claimOne()
            try await fixture.settle(.completion(first.job.id, first.lease))
            _ = try await fixture.claimOne(service: "beta")
            try await fixture.pass(.seconds(31))
            try requireEqual(try await fixture.ledger.overdue(apps: nil, limit: 10).jobs.count, 0, "for no app")
            let due = try await fixture.ledger.overdue(apps: [LedgerFixture.app], limit: 10)
            try requireEqual(due.jobs.map(\.event), [.attemptTimedOut], "overdue jobs")
            try requireEqual(try await fixture.settle(all: due.jobs).verdicts, [.applied(.waiting)], "verdicts")
        },
        Case("a postponed job is not due until its time, and is promoted then") { fixture in
            let jobs = try await fixture.create(3)
            let running = try await fixture.claimOne()
            try await fixture.ledger.postpone(jobs.map(\.id) + [MeshID()], by: .seconds(20))
            try requireEqual(try await fixture.job(running.job.id).state, .running, "a running job's state")
            try requireEqual(
                try await fixture.ledger.loads(of: ["alpha", "beta"]),
                [ServiceLoad(service: "alpha", waiting: 2, due: 0, running: 1), ServiceLoad(service: "beta")],
                "loads"
            )
            try requireEqual(try await fixture.ledger.promote(limit: 10), [:], "promoted too early")
            try await fixture.pass(.seconds(30))
            try requireEqual(try await fixture.ledger.promote(limit: 1), ["alpha": 1], "promoted one")
            try requireEqual(try await fixture.ledger.promote(limit: 10), ["alpha": 1], "promoted the rest")
            try requireEqual(
                try await fixture.ledger.loads(of: ["beta", "alpha"]),
                [ServiceLoad(service: "beta"), ServiceLoad(service: "alpha", waiting: 2, due: 2, running: 1)],
                "loads"
            )
            try requireEqual(try await fixture.ledger.loads(of: []), [], "loads of nothing")
        },
        Case("jobs are counted by when they were created, in whatever state they are") { fixture in
            let before = Timestamp.now
            let between = before + .seconds(30)
            _ = try await fixture.create(3) { job, _ in job.id = MeshID(at: before) }
            _ = try await fixture.claimOne()
            _ = try await fixture.create(2) { job, _ in job.id = MeshID(at: between) }
            let both = ["alpha", "beta"]
            try requireEqual(try await fixture.ledger.created(of: both, since: before), ["alpha": 5], "created")
            try requireEqual(try await fixture.ledger.created(of: both, since: between), ["alpha": 2], "since")
            try requireEqual(try await fixture.ledger.created(of: ["beta"], since: before), [:], "of another")
            try requireEqual(try await fixture.ledger.created(of: [], since: before), [:], "created of nothing")
        },
        Case("a sweep goes on with every turn until nothing old is left, a little at a time") { fixture in
            for job in try await fixture.create(25) {
                try await fixture.settle(Settlement(job: job.id, event: .cancelled))
            }
            var limits = LedgerTimers.Limits(retention: .seconds(-60))
            (limits.sweepBatch, limits.sweepTime) = (10, .zero)
            var swept = 0
            let timers = LedgerTimers(ledger: fixture.ledger, apps: nil, limits: limits)
            for expected in [10, 10, 5, 0] {
                try await timers.turn { turn in swept = turn.swept }
                try requireEqual(swept, expected, "swept in a turn")
            }
            for job in try await fixture.create(25) {
                try await fixture.settle(Settlement(job: job.id, event: .cancelled))
            }
            try await timers.turn { turn in swept = turn.swept }
            try requireEqual(swept, 0, "swept though a sweep has just ended")
            limits.sweepTime = .seconds(60)
            try await LedgerTimers(ledger: fixture.ledger, apps: nil, limits: limits).turn { turn in swept = turn.swept
            }
            try requireEqual(swept, 25, "swept in one turn that has time")
        },
    ]
}
