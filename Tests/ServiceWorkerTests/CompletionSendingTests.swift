// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import ServiceWorker

/// Which completions wait for the broker's confirm.
struct CompletionSendingTests {
    private static let message = Message(queue: "malla.completions.app.shop", body: [1])

    @Test func whatAQueueTakesForTheFirstTimeIsConfirmedAndTheNextIsNot() async throws {
        let broker = CountingBroker()
        let sending = CompletionSending(broker: broker)
        _ = try await sending.send([Self.message], count: 1, isFirst: true)
        #expect(broker.counts == .init(posted: 0, published: 1), "the queue was made for it")
        #expect(try await !sending.send([Self.message], count: 2, isFirst: true))
        #expect(broker.counts == .init(posted: 1, published: 1))
        let other = Message(queue: "malla.completions.app.other", body: [1])
        _ = try await sending.send([Self.message, other], count: 2, isFirst: true)
        #expect(broker.counts == .init(posted: 1, published: 3), "one of the queues is new")
        #expect(try await broker.depth(of: other.queue) == 1)
    }

    @Test func whatIsSentAgainOrWithManyIsConfirmed() async throws {
        let broker = CountingBroker()
        let sending = CompletionSending(broker: broker)
        _ = try await sending.send([Self.message], count: 1, isFirst: true)
        _ = try await sending.send([Self.message], count: 1, isFirst: false)
        _ = try await sending.send([Self.message], count: 3, isFirst: true)
        #expect(broker.counts == .init(posted: 0, published: 3))
    }

    @Test func whileTheBrokerIsAwayItIsWaitedFor() async throws {
        let broker = CountingBroker()
        let sending = CompletionSending(broker: broker)
        _ = try await sending.send([Self.message], count: 1, isFirst: true)
        broker.setAway(true)
        _ = try await sending.send([Self.message], count: 1, isFirst: true)
        #expect(broker.counts == .init(posted: 0, published: 2))
    }

    /// What an outbox sends for the first time, again, and before the worker leaves.
    @Test func theOutboxConfirmsWhatNobodyWouldSendAgain() async throws {
        let broker = CountingBroker()
        let fixture = try await WorkerFixture(broker: broker)
        let outbox = fixture.worker(FunctionHandler { $0 }).floor.outbox
        let job = Job(id: MeshID(), service: "work", createdAt: .now)
        func send() {
            let completion = Completion(job: job.id, lease: LeaseID(), failure: nil, result: [], runMilliseconds: 1)
            outbox.send(completion, of: job)
        }
        send()
        try await until { broker.counts == .init(posted: 0, published: 1) }
        send()
        try await until { broker.counts == .init(posted: 1, published: 1) }
        #expect(outbox.resend(at: .now + .seconds(6)) == 2)
        try await until { broker.counts == .init(posted: 1, published: 2) }
        #expect(try await broker.depth(of: QueueName.completions(of: job)) == 3, "two in a message")
        send()
        try await until { broker.counts == .init(posted: 2, published: 2) }
        outbox.confirmAll()
        try await until { broker.counts == .init(posted: 2, published: 3) }
        send()
        try await until { broker.counts == .init(posted: 2, published: 4) }
    }

    @Test func aFewMayGoAtOnceAndAsManyASecondAsABrokerHardlyNotices() {
        var allowance = PostAllowance()
        let start = ContinuousClock.now
        func taken(_ tries: Int, at now: ContinuousClock.Instant) -> Int {
            (0..<tries).count { _ in allowance.take(at: now) }
        }
        #expect(taken(20, at: start) == 8)
        #expect(taken(20, at: start + .milliseconds(5)) == 2, "2.5 in 5 ms")
        #expect(taken(20, at: start + .milliseconds(6)) == 1, "the half that was left, and another")
        #expect(taken(20, at: start + .seconds(3600)) == 8)
        #expect((1...1000).count { allowance.take(at: start + .seconds(4000) + .milliseconds($0)) } <= 508)
    }
}
