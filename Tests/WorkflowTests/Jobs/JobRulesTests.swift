// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing

@testable import Workflow

/// The table of design.md, row by row.
@Suite struct JobRulesTests {
    private let start = Timestamp(microseconds: 1_000_000_000)
    private let lease = MeshID()

    private func waiting(_ change: (inout Job) -> Void = { _ in }) -> Job {
        var job = Job(id: MeshID(), service: "s", maxAttempts: 3, timeout: .seconds(10), createdAt: start)
        change(&job)
        return job
    }

    private func running(_ change: (inout Job) -> Void = { _ in }) throws -> Job {
        var job = try #require(JobRules.apply(.claimed(lease: lease, worker: "w"), to: waiting(), at: start))
        change(&job)
        return job
    }

    @Test func aClaimCountsAnAttemptAndTakesTheLease() throws {
        let job = try running()
        #expect(job.state == .running && job.attempt == 1 && job.lease == lease && job.startedAt == start)
        #expect(JobRules.apply(.claimed(lease: MeshID(), worker: "x"), to: job, at: start) == nil)
    }

    @Test func aClaimRespectsRunAfterAndDeadline() {
        let later = waiting { $0.runAfter = start + .seconds(1) }
        #expect(JobRules.apply(.claimed(lease: lease, worker: "w"), to: later, at: start) == nil)
        #expect(JobRules.apply(.claimed(lease: lease, worker: "w"), to: later, at: start + .seconds(1)) != nil)
        let late = waiting { $0.deadline = start }
        #expect(JobRules.apply(.claimed(lease: lease, worker: "w"), to: late, at: start) == nil)
    }

    @Test func onlyTheLeaseInTheRowCounts() throws {
        let job = try running()
        let stale = MeshID()
        let error = JobError(.handler, "x")
        for event in [
            JobEvent.completed(lease: stale), .failed(lease: stale, error), .handedBack(lease: stale),
            .handlerDied(lease: stale, error), .orphaned(lease: stale),
        ] {
            #expect(JobRules.apply(event, to: job, at: start) == nil)
        }
    }

    @Test func failuresBackOffAndEndAtTheLimit() throws {
        var job = try running()
        for failure in 1...2 {
            job = try #require(
                JobRules.apply(.failed(lease: lease, JobError(.handler, "x")), to: job, at: start, jitter: 0)
            )
            #expect(job.state == .waiting && job.failures == failure)
            #expect(job.runAfter == start + .seconds(1) * (1 << (failure - 1)))
            job.runAfter = nil
            job = try #require(JobRules.apply(.claimed(lease: lease, worker: "w"), to: job, at: start))
        }
        job = try #require(JobRules.apply(.failed(lease: lease, JobError(.handler, "x")), to: job, at: start))
        #expect(job.state == .failed && job.failures == 3 && job.attempt == 3)
    }

    @Test func aFinalErrorFailsAtOnce() throws {
        let error = JobError(.invalidInput, "no image")
        let job = try #require(JobRules.apply(.failed(lease: lease, error), to: try running(), at: start))
        #expect(job.state == .failed && job.error == error)
    }

    @Test func handBacksDeathsAndOrphaningsCostNoAttempt() throws {
        let back = try #require(JobRules.apply(.handedBack(lease: lease), to: try running(), at: start))
        #expect(back.state == .waiting && back.failures == 0 && back.lease == nil)
        let orphan = try #require(JobRules.apply(.orphaned(lease: lease), to: try running(), at: start))
        #expect(orphan.state == .waiting && orphan.failures == 0 && orphan.orphaned == 1)
        let error = JobError(.handler, "exit 1")
        let died = try #require(JobRules.apply(.handlerDied(lease: lease, error), to: try running(), at: start))
        #expect(died.state == .waiting && died.failures == 0 && died.deaths == 1)
    }

    @Test func twoDeathsAndTenOrphaningsArePoison() throws {
        let error = JobError(.handler, "exit 1")
        let dead = try running { $0.deaths = 1 }
        let job = try #require(JobRules.apply(.handlerDied(lease: lease, error), to: dead, at: start))
        #expect(job.state == .failed && job.error?.category == .poison)
        let unlucky = try running { $0.orphaned = 9 }
        let last = try #require(JobRules.apply(.orphaned(lease: lease), to: unlucky, at: start))
        #expect(last.state == .failed && last.error?.category == .poison)
    }

    @Test func timeEndsAttemptsAndTasks() throws {
        let job = try running { $0.deadline = start + .seconds(30) }
        #expect(JobRules.apply(.attemptTimedOut, to: job, at: start + .seconds(9)) == nil)
        let slow = try #require(JobRules.apply(.attemptTimedOut, to: job, at: start + .seconds(10)))
        #expect(slow.state == .waiting && slow.failures == 1 && slow.error?.category == .timeout)
        #expect(JobRules.apply(.deadlinePassed, to: job, at: start + .seconds(29)) == nil)
        let late = try #require(JobRules.apply(.deadlinePassed, to: job, at: start + .seconds(30)))
        #expect(late.state == .timedOut)
    }

    @Test func aFinalStateNeverChanges() throws {
        let error = JobError(.handler, "x")
        let done = try #require(JobRules.apply(.completed(lease: lease), to: try running(), at: start))
        let cancelled = try #require(JobRules.apply(.cancelled, to: waiting(), at: start))
        #expect(done.state == .succeeded && cancelled.state == .cancelled)
        for job in [done, cancelled] {
            for event in [
                JobEvent.claimed(lease: lease, worker: "w"), .completed(lease: lease), .failed(lease: lease, error),
                .handedBack(lease: lease), .handlerDied(lease: lease, error), .orphaned(lease: lease),
                .attemptTimedOut, .deadlinePassed, .cancelled,
            ] {
                #expect(JobRules.apply(event, to: job, at: start + .seconds(1000)) == nil)
            }
        }
    }
}
