// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing

@testable import Workflow

/// The last but one row of design.md's table: what a person's retry does.
@Suite struct JobRetryTests {
    private let start = Timestamp(microseconds: 1_000_000_000)
    private let lease = MeshID()

    private func waiting(_ change: (inout Job) -> Void = { _ in }) -> Job {
        var job = Job(id: MeshID(), service: "s", maxAttempts: 2, timeout: .seconds(10), createdAt: start)
        change(&job)
        return job
    }

    private func running(_ change: (inout Job) -> Void = { _ in }) throws -> Job {
        try #require(JobRules.apply(.claimed(lease: lease, worker: "w"), to: waiting(change), at: start))
    }

    private func retried(_ job: Job, at moment: Timestamp? = nil) -> Job? {
        JobRules.apply(.retried, to: job, at: moment ?? start + .seconds(100))
    }

    @Test func aWaitingJobBecomesDueUnlessItIs() throws {
        #expect(retried(waiting()) == nil)
        let later = waiting {
            $0.runAfter = start + .seconds(500)
            $0.failures = 1
        }
        let job = try #require(retried(later))
        #expect(job.state == .waiting && job.runAfter == nil && job.failures == 1)
    }

    @Test func aRunningJobLeavesItsWorkerAndKeepsItsCounters() throws {
        var before = try running { ($0.failures, $0.deaths, $0.orphaned) = (1, 1, 3) }
        before.leaseUntil = start + .seconds(30)
        let job = try #require(retried(before))
        #expect(job.state == .waiting && job.lease == nil && job.worker == nil && job.leaseUntil == nil)
        #expect(job.startedAt == nil && job.attempt == 1)
        #expect([job.failures, job.deaths, job.orphaned] == [1, 1, 3])
        #expect(JobRules.apply(.completed(lease: lease), to: job, at: start) == nil)
    }

    @Test func aFailedJobBeginsAnew() throws {
        let failures = [JobError(.handler, "x", isFinal: true), JobError(.invalidInput, "y")]
        for error in failures {
            let before = try running { ($0.failures, $0.deaths, $0.orphaned) = (1, 1, 9) }
            let failed = try #require(JobRules.apply(.failed(lease: lease, error), to: before, at: start))
            let job = try #require(retried(failed))
            #expect(job.state == .waiting && job.error == nil && job.finishedAt == nil && job.runAfter == nil)
            #expect([job.failures, job.deaths, job.orphaned] == [0, 0, 0])
            #expect(job.attempt == 1)
            let next = MeshID()
            let again = try #require(
                JobRules.apply(.claimed(lease: next, worker: "v"), to: job, at: start + .seconds(101))
            )
            #expect(again.attempt == 2)
            #expect(JobRules.apply(.completed(lease: lease), to: again, at: start + .seconds(102)) == nil)
            let end = try #require(JobRules.apply(.completed(lease: next), to: again, at: start + .seconds(102)))
            #expect(end.state == .succeeded && end.error == nil)
        }
    }

    @Test func aJobPastItsDeadlineGetsOneAsFarOffAsAtFirst() throws {
        let late = waiting { $0.deadline = start + .seconds(30) }
        let ended = try #require(JobRules.apply(.deadlinePassed, to: late, at: start + .seconds(30)))
        let job = try #require(retried(ended, at: start + .seconds(1000)))
        #expect(job.deadline == start + .seconds(1030))
        #expect(JobRules.apply(.deadlinePassed, to: job, at: start + .seconds(1029)) == nil)
        let again = try #require(JobRules.apply(.deadlinePassed, to: job, at: start + .seconds(1030)))
        #expect(again.state == .timedOut)
    }

    @Test func whatSucceededOrWasCancelledStays() throws {
        let done = try #require(JobRules.apply(.completed(lease: lease), to: try running(), at: start))
        let cancelled = try #require(JobRules.apply(.cancelled, to: waiting(), at: start))
        #expect(retried(done) == nil && retried(cancelled) == nil)
    }

    @Test func aTasksJobThatEndedStays() throws {
        let ofTask: (inout Job) -> Void = { job in
            (job.task, job.app, job.stage) = (MeshID(), "app", 0)
            job.deadline = start + .seconds(30)
        }
        let error = JobError(.handler, "x", isFinal: true)
        let failed = try #require(JobRules.apply(.failed(lease: lease, error), to: try running(ofTask), at: start))
        let late = try #require(JobRules.apply(.deadlinePassed, to: waiting(ofTask), at: start + .seconds(30)))
        #expect(retried(failed) == nil && retried(late) == nil)
        #expect(retried(try running(ofTask))?.state == .waiting)
    }

    @Test func everyEndClearsTheLeaseByTime() throws {
        var job = try running { $0.deadline = start + .seconds(5) }
        job.leaseUntil = start + .seconds(30)
        let error = JobError(.handler, "x", isFinal: true)
        for event in [
            JobEvent.completed(lease: lease), .failed(lease: lease, error), .handedBack(lease: lease),
            .handlerDied(lease: lease, error), .orphaned(lease: lease), .attemptTimedOut, .deadlinePassed, .cancelled,
            .retried,
        ] {
            let after = try #require(JobRules.apply(event, to: job, at: start + .seconds(20)), "\(event)")
            #expect(after.leaseUntil == nil, "\(event)")
        }
    }
}
