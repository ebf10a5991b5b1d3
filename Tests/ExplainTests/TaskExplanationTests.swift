// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import LedgerSQLite
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import Explain

/// Answers to "why is my task not done?".
@Suite struct TaskExplanationTests {
    @Test func aStageWaitsForItsJoin() async throws {
        let fixture = try await ExplainFixture()
        try await fixture.beat(slots: 3)
        let task = try await fixture.work.accept(fixture.work.fanAll, payload: #"{"n":3}"#)
        let jobs = try await fixture.claim(3)
        try await fixture.settle(jobs[0]) { .completed(lease: $0) }
        try await fixture.settle(jobs[1]) { .completed(lease: $0) }
        let explanation = try await fixture.explain(task)
        #expect(explanation.subject == .task)
        #expect(explanation.cause == .waitingForJoin)
        #expect(explanation.sentence.contains("2 of 3 jobs have ended"))
        let stage = try #require(explanation.stages.first)
        #expect(stage.name == "items" && stage.running == 1 && stage.waiting == 0 && stage.counters.succeeded == 2)
        #expect(explanation.jobs.map(\.id) == [jobs[2].id])
    }

    @Test func itHangsOnTheJobThatNobodyTakes() async throws {
        let fixture = try await ExplainFixture()
        let task = try await fixture.work.accept(fixture.work.chain)
        let explanation = try await fixture.explain(task)
        #expect(explanation.cause == .noWorkerEver)
        #expect(explanation.service == "alpha")
        #expect(explanation.sentence.hasPrefix("Stage 'first'"))
        #expect(explanation.json["jobs"]?.array?.count == 1)
    }

    @Test func aFailedTaskNamesItsStageAndJob() async throws {
        let fixture = try await ExplainFixture()
        let task = try await fixture.work.accept(fixture.work.chain)
        let job = try #require(try await fixture.claim().first)
        try await fixture.settle(job) { .failed(lease: $0, JobError(.invalidInput, "no face")) }
        let explanation = try await fixture.explain(task)
        #expect(explanation.cause == .failed)
        #expect(explanation.sentence.contains("stage 'first'") && explanation.sentence.contains("no face"))
        #expect(explanation.jobs.map(\.id) == [job.id])
    }

    @Test func aDoneTaskTellsOfItsCallback() async throws {
        let fixture = try await ExplainFixture()
        let task = try await fixture.work.accept(fixture.work.fanAll, payload: #"{"n":0}"#)
        let explanation = try await fixture.explain(task)
        #expect(explanation.cause == .completed)
        #expect(explanation.sentence.contains("callback"))
    }

    @Test func aCancelledTaskSaysSo() async throws {
        let fixture = try await ExplainFixture()
        let task = try await fixture.work.accept(fixture.work.chain)
        _ = try await fixture.ledger.settle(
            [],
            tasks: [TaskSettlement(task: task, event: .cancelled)],
            finishing: fixture.work.finishing
        )
        #expect(try await fixture.explain(task).cause == .cancelled)
    }
}
