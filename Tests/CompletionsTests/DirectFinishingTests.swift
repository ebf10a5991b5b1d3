// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import LedgerSQLite
import Plumbing
import Testing
import Workflow

@Suite(.timeLimit(.minutes(1))) struct DirectFinishingTests {
    private static var labels: JobLabels {
        var labels = JobLabels()
        labels.webhook = "https://example.com/hook"
        return labels
    }

    @Test func aWebhookIsWrittenOnceAndTellsAll() async throws {
        let fixture = try await CompletionsFixture()
        try await fixture.create(1, labels: Self.labels)
        let job = try await fixture.claim(1)[0]
        let event = JobEvent.completed(lease: try #require(job.lease))
        let settlement = Settlement(job: job.id, event: event, result: Array(#"{"out":2}"#.utf8))
        for count in [1, 0] {
            let outcome = try await fixture.ledger.settle([settlement], tasks: [], finishing: DirectFinishing())
            #expect(outcome.callbacks.count == count && outcome.ended.count == count)
        }
        let stored = try await fixture.ledger.callbacks(of: job.id)
        let callback = try #require(stored.first?.callback)
        #expect(stored.count == 1 && callback.app == CallbackRecord.directApp && !callback.isTrusted)
        #expect(
            callback.url == "https://example.com/hook" && callback.dueAt - callback.createdAt == CallbackRecord.hold
        )
        let body = try JSON(parsing: callback.body)
        #expect(body["id"]?.string == job.id.description && body["status"] == "COMPLETED")
        #expect(body["output"] == ["out": 2] && body["input"] == ["in": 1])
        #expect(body["delayTime"]?.int != nil && body["executionTime"]?.int != nil)
        // Its writer's alone for a minute.
        let taken = try await fixture.ledger.takeCallbacks(
            apps: [CallbackRecord.directApp],
            limit: 10,
            hold: .seconds(60)
        )
        #expect(taken.isEmpty)
    }

    @Test func theWebhookOfAContractTellsItsCost() async throws {
        let fixture = try await CompletionsFixture()
        var labels = Self.labels
        labels.envelope = .contract
        try await fixture.create(1, labels: labels)
        let job = try await fixture.claim(1)[0]
        let settlement = Settlement(
            job: job.id,
            event: .completed(lease: try #require(job.lease)),
            result: Array(#"{"text":"hi"}"#.utf8),
            usage: JobUsage(costUSD: 0.002).json.bytes
        )
        let outcome = try await fixture.ledger.settle([settlement], tasks: [], finishing: DirectFinishing())
        let body = try JSON(parsing: try #require(outcome.callbacks.first).body)
        #expect(body["output"]?["output"]?["data"] == ["text": "hi"])
        #expect(body["output"]?["usage"]?["cost_usd"]?.double == 0.002)
    }

    @Test func onlyAnEndCalls() async throws {
        let fixture = try await CompletionsFixture()
        try await fixture.create(2, labels: Self.labels)
        try await fixture.create(1)
        let jobs = try await fixture.claim(3)
        let failure = JobError(.handler, "once more")
        let settlements = try jobs.map { job in
            job.labels == nil
                ? Settlement(job: job.id, event: .cancelled)
                : Settlement(job: job.id, event: .failed(lease: try #require(job.lease), failure))
        }
        let outcome = try await fixture.ledger.settle(settlements, tasks: [], finishing: DirectFinishing())
        #expect(outcome.callbacks.isEmpty && outcome.ended.map(\.labels) == [nil])
        let waiting = try #require(jobs.first { $0.labels != nil })
        let cancelled = try await fixture.ledger.settle(
            [Settlement(job: waiting.id, event: .cancelled)],
            tasks: [],
            finishing: DirectFinishing()
        )
        #expect(cancelled.callbacks.count == 1 && cancelled.ended.map(\.id) == [waiting.id])
        let body = try #require(cancelled.callbacks.first).body
        #expect(try JSON(parsing: body)["status"] == "CANCELLED")
    }

    @Test func aJobThatIsRetriedInTheSameTransactionHasNotEnded() async throws {
        let fixture = try await CompletionsFixture()
        try await fixture.create(1, labels: Self.labels)
        let job = try await fixture.claim(1)[0]
        let failure = JobError(.handler, "no", isFinal: true)
        let outcome = try await fixture.ledger.settle(
            [
                Settlement(job: job.id, event: .failed(lease: try #require(job.lease), failure)),
                Settlement(job: job.id, event: .retried),
            ],
            tasks: [],
            finishing: DirectFinishing()
        )
        #expect(outcome.ended.isEmpty && outcome.callbacks.isEmpty && outcome.ready.map(\.id) == [job.id])
    }
}
