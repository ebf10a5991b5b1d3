// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing
import Workflow

@Suite struct RunPodStatusTests {
    private static let created = Timestamp(microseconds: 1_700_000_000_000_000)

    private static func job(_ state: JobState, claimed: Bool = true, _ error: JobError? = nil) -> Job {
        var job = Job(id: MeshID(), service: "echo", createdAt: created)
        job.state = state
        job.error = error
        if claimed { job.startedAt = created + .milliseconds(2500) }
        if state.isFinal { job.finishedAt = created + .milliseconds(4000) }
        return job
    }

    private static func json(_ status: RunPodStatus) throws -> JSON { try JSON(parsing: status.bytes) }

    @Test func aWaitingJobIsInTheQueue() throws {
        let job = Self.job(.waiting, claimed: false)
        let json = try Self.json(RunPodStatus(job, progress: Array("1".utf8)))
        #expect(json == ["id": .string(job.id.description), "status": "IN_QUEUE"])
    }

    @Test func aFailedAttemptThatWaitsShowsNoError() throws {
        var job = Self.job(.waiting, claimed: false)
        job.error = JobError(.handler, "not yet")
        #expect(try Self.json(RunPodStatus(job))["error"] == nil)
    }

    @Test func aRunningJobShowsItsLastProgress() throws {
        let job = Self.job(.running)
        let json = try Self.json(RunPodStatus(job, progress: Array(#"{"percent":50}"#.utf8)))
        #expect(json["status"] == "IN_PROGRESS" && json["output"] == ["percent": 50])
        #expect(json["delayTime"] == 2500 && json["executionTime"] == nil)
        #expect(try Self.json(RunPodStatus(job))["output"] == nil)
    }

    @Test func aFinishedJobShowsItsOutputAsItIs() throws {
        let job = Self.job(.succeeded)
        let status = RunPodStatus(job, result: Array("1.10".utf8), input: Array(#"{"a":1}"#.utf8))
        let text = String(decoding: status.bytes, as: UTF8.self)
        #expect(
            text == """
                {"id":"\(job.id)","status":"COMPLETED","delayTime":2500,"executionTime":1500,"output":1.10,\
                "input":{"a":1}}
                """
        )
    }

    @Test func aFailureTellsItsReasonWithEveryCharacter() throws {
        let reason = "it said \"no\"\nat line 2"
        let json = try Self.json(RunPodStatus(Self.job(.failed, JobError(.handler, reason))))
        #expect(json["status"] == "FAILED" && json["error"] == .string(reason) && json["output"] == nil)
        #expect(json["executionTime"] == 1500)
    }

    @Test func aJobWithoutTimeIsTimedOut() throws {
        let error = JobError(.timeout, "too long")
        for state in [JobState.failed, .timedOut] {
            let json = try Self.json(RunPodStatus(Self.job(state, error)))
            #expect(json["status"] == "TIMED_OUT" && json["error"] == "too long")
        }
        let unclaimed = try Self.json(RunPodStatus(Self.job(.timedOut, claimed: false, error)))
        #expect(unclaimed["delayTime"] == 4000 && unclaimed["executionTime"] == nil)
    }

    @Test func aCancelledJobHasNoError() throws {
        let json = try Self.json(RunPodStatus(Self.job(.cancelled, JobError(.cancelled, "cancelled"))))
        #expect(json["status"] == "CANCELLED" && json["error"] == nil && json["output"] == nil)
    }

    @Test func aClockThatWentBackGivesNoNegativeTimes() throws {
        var job = Self.job(.succeeded)
        job.startedAt = job.createdAt - .seconds(1)
        job.finishedAt = job.createdAt - .seconds(2)
        let json = try Self.json(RunPodStatus(job, result: Array("null".utf8)))
        #expect(json["delayTime"] == 0 && json["executionTime"] == 0 && json["output"] == .null)
    }

    @Test func aContractsOutputIsWrapped() throws {
        var job = Self.job(.succeeded)
        job.labels = JobLabels()
        job.labels?.envelope = .contract
        let result = Array(#"{"text":"hi"}"#.utf8)
        let priced = try Self.json(RunPodStatus(job, result: result, usage: JobUsage(costUSD: 0.002)))
        #expect(
            priced["output"] == [
                "status": "completed", "output": ["data": ["text": "hi"]], "usage": ["cost_usd": 0.002],
            ]
        )
        let free = try Self.json(RunPodStatus(job, result: result))
        #expect(free["output"] == ["status": "completed", "output": ["data": ["text": "hi"]]])
        job.state = .failed
        job.error = JobError(.provider, "down")
        let failed = try Self.json(RunPodStatus(job))
        #expect(failed["status"] == "FAILED" && failed["error"] == "down")
        #expect(failed["output"] == ["status": "failed", "error": ["code": "provider", "message": "down"]])
        job.labels?.envelope = .grace
        #expect(try Self.json(RunPodStatus(job))["output"] == nil)
    }
}
