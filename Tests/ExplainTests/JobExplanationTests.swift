// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerInProcess
import Ledger
import LedgerSQLite
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import Explain

/// Every answer to "why is my job not done?", each from a situation that is really made.
@Suite struct JobExplanationTests {
    @Test func noWorkerHasEverConnected() async throws {
        let fixture = try await ExplainFixture()
        let explanation = try await fixture.explain(try await fixture.job())
        #expect(explanation.cause == .noWorkerEver)
        #expect(explanation.sentence.contains("malla worker --service alpha"))
        #expect(explanation.place == nil && explanation.workers.isEmpty)
    }

    @Test func aServiceThatNobodyKnowsIsNamed() async throws {
        let fixture = try await ExplainFixture(services: ["beta"])
        let explanation = try await fixture.explain(try await fixture.job("alpha"))
        #expect(explanation.cause == .noWorkerEver)
        #expect(explanation.sentence.contains("SERVICES_DIR"))
    }

    @Test func theWorkersDied() async throws {
        let fixture = try await ExplainFixture()
        let id = try await fixture.job()
        try await fixture.ago(.seconds(20)) { try await fixture.beat("gpu-7") }
        let explanation = try await fixture.explain(id)
        #expect(explanation.cause == .workersGone)
        #expect(explanation.sentence.contains("gpu-7"))
        #expect(explanation.workers.map(\.isAlive) == [false])
    }

    @Test func theWorkersLeftLongAgo() async throws {
        let fixture = try await ExplainFixture()
        _ = try await fixture.job()
        let done = try await fixture.claim()
        try await fixture.settle(try #require(done.first)) { .completed(lease: $0) }
        let explanation = try await fixture.explain(try await fixture.job())
        #expect(explanation.cause == .workersGone)
    }

    @Test func theHandlerFailsToStartAndItsLastOutputIsShown() async throws {
        let fixture = try await ExplainFixture()
        let id = try await fixture.job()
        let trouble =
            #"{"alpha":[{"at":"2026-11-21T00:00:00Z","message":"it ended with code 1","output":"a\nNo module named 'torch'"}]}"#
        try await fixture.beat(trouble: trouble)
        let explanation = try await fixture.explain(id)
        #expect(explanation.cause == .handlersFail)
        #expect(explanation.sentence.contains("it ended with code 1"))
        #expect(explanation.sentence.contains("No module named 'torch'"))
        #expect(explanation.workers.first?.troubles.count == 1)
        // One good worker is enough.
        try await fixture.beat("worker-2")
        #expect(try await fixture.explain(id).cause == .queued)
    }

    @Test func itsWorkerTookItAndCanNotStartTheHandler() async throws {
        let fixture = try await ExplainFixture()
        let id = try await fixture.job()
        _ = try await fixture.claim()
        let at = (Timestamp.now + .seconds(2)).rfc3339
        let trouble = #"{"alpha":[{"at":"\#(at)","message":"it ended","output":"No module named 'torch'"}]}"#
        try await fixture.beat(running: 1, trouble: trouble)
        let explanation = try await fixture.explain(id)
        #expect(explanation.cause == .handlersFail)
        #expect(explanation.sentence.contains("No module named 'torch'"))
        // What happened before it was taken is over.
        let old = trouble.replacing(at, with: "2026-01-01T00:00:00.000Z")
        try await fixture.beat(running: 1, trouble: old)
        #expect(try await fixture.explain(id).cause == .running)
    }

    @Test func theQueueIsLong() async throws {
        let fixture = try await ExplainFixture()
        try await fixture.beat(slots: 2)
        for _ in 0..<20 { _ = try await fixture.job() }
        for job in try await fixture.claim(20) { try await fixture.settle(job) { .completed(lease: $0) } }
        var last = try await fixture.job()
        for _ in 0..<30 { last = try await fixture.job() }
        _ = try await fixture.claim(2)
        let explanation = try await fixture.explain(last)
        #expect(explanation.cause == .queued)
        let place = try #require(explanation.place)
        #expect(place.ahead == 28 && !place.isAtLeast)
        let forecast = try #require(place.forecast)
        #expect(forecast.p50 <= forecast.p90)
        #expect(explanation.workers.first?.jobs.count == 2)
        let json = explanation.json
        #expect(json["queue"]?["ahead"]?.int == 28)
        #expect(json["workers"]?.array?.first?["jobs"]?.array?.count == 2)
    }

    @Test func itWaitsForItsNextTry() async throws {
        let fixture = try await ExplainFixture()
        try await fixture.beat()
        let id = try await fixture.job()
        let job = try #require(try await fixture.claim().first)
        try await fixture.settle(job) { .failed(lease: $0, JobError(.handler, "CUDA out of memory")) }
        let explanation = try await fixture.explain(id)
        #expect(explanation.cause == .waitingForRetry)
        #expect(explanation.sentence.contains("CUDA out of memory"))
        #expect(explanation.sentence.contains("2 of 3"))
        let attempt = try #require(explanation.attempts.first)
        #expect(attempt.outcome == "failed" && attempt.worker == "worker-1" && attempt.attempt == 1)
    }

    @Test func itIsNotToRunYet() async throws {
        let fixture = try await ExplainFixture()
        let id = try await fixture.job { $0.runAfter = .now + .seconds(60) }
        #expect(try await fixture.explain(id).cause == .waitingForTime)
    }

    @Test func theBrokerIsDown() async throws {
        let fixture = try await ExplainFixture()
        try await fixture.beat()
        let id = try await fixture.job()
        await fixture.broker.close()
        let explanation = try await fixture.explain(id)
        #expect(explanation.cause == .serverDown)
        #expect(explanation.faults.map(\.server) == ["broker"])
        #expect(explanation.json["servers_down"]?["broker"]?.string != nil)
    }

    @Test func allWorkersDrain() async throws {
        let fixture = try await ExplainFixture()
        try await fixture.beat(isDraining: true)
        #expect(try await fixture.explain(try await fixture.job()).cause == .workersDrain)
    }

    @Test func itRunsAndItsWorkerFallsSilent() async throws {
        let fixture = try await ExplainFixture()
        try await fixture.beat(running: 1)
        let id = try await fixture.job()
        _ = try await fixture.claim()
        #expect(try await fixture.explain(id).cause == .running)
        try await fixture.ago(.seconds(10)) { try await fixture.beat(running: 1) }
        #expect(try await fixture.explain(id).cause == .workerSilent)
    }

    @Test func itEnded() async throws {
        let fixture = try await ExplainFixture()
        let done = try await fixture.job()
        let job = try #require(try await fixture.claim().first)
        try await fixture.settle(job) { .completed(lease: $0) }
        #expect(try await fixture.explain(done).cause == .completed)

        let cancelled = try await fixture.job()
        _ = try await fixture.ledger.settle(
            [Settlement(job: cancelled, event: .cancelled)],
            tasks: [],
            finishing: fixture.work.finishing
        )
        let explanation = try await fixture.explain(cancelled)
        #expect(explanation.cause == .cancelled)
        #expect(!explanation.sentence.contains("retry"), "a cancelled job can't be retried")

        let late = try await fixture.job { $0.deadline = .now - .seconds(1) }
        #expect(try await fixture.explain(late).cause == .deadlinePassed)
        _ = try await fixture.ledger.settle(
            [Settlement(job: late, event: .deadlinePassed)],
            tasks: [],
            finishing: fixture.work.finishing
        )
        #expect(try await fixture.explain(late).cause == .deadlinePassed)

        let wrong = try await fixture.job()
        let held = try #require(try await fixture.claim().first)
        try await fixture.settle(held) { .failed(lease: $0, JobError(.invalidInput, "no image")) }
        let failure = try await fixture.explain(wrong)
        #expect(failure.cause == .failed)
        #expect(failure.sentence.contains("no image"))
    }

    @Test func nothingIsThere() async throws {
        let fixture = try await ExplainFixture()
        let nothing = try await fixture.explainer.explain(MeshID())
        #expect(nothing == nil)
    }
}
