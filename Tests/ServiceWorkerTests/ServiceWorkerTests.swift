// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import Ledger
import MallaTestKit
import Plumbing
import ResultStore
import Testing
import Workflow

@testable import ServiceWorker

@Suite(.timeLimit(.minutes(1))) struct ServiceWorkerTests {
    @Test("Every job runs once and is settled, whatever the tickets", arguments: [1, 3])
    func runsJobs(tickets: Int) async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let worker = fixture.worker(FunctionHandler { $0.adding("ok", true) }, slots: 4)
        await worker.start()
        let jobs = try await fixture.add(40, tickets: tickets)
        let done = await settled.first(40)
        #expect(Set(done.map(\.completion.job)) == Set(jobs.map(\.id)))
        #expect(done.allSatisfy { $0.verdict == .applied(.succeeded) })
        #expect(done.allSatisfy { $0.completion.result == Array("{\"n\":1,\"ok\":true}".utf8) })
        await worker.drain(timeout: .seconds(5))
        #expect(try await fixture.broker.depth(of: QueueName.tickets(service: "work")) ?? 0 <= 40 * (tickets - 1))
        #expect(try await fixture.inner.workers().isEmpty)
    }

    @Test("A job fails with the handler's words; a result that breaks the schema names the field")
    func reportsFailures() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let schema = try JSONSchema(["type": "object", "required": ["score"]])
        let worker = fixture.worker(
            FunctionHandler { input in
                if input["bad"] != nil { throw JobError(.invalidInput, "no", field: "/bad") }
                return input
            },
            service: fixture.service(output: schema)
        )
        await worker.start()
        try await fixture.add(1, input: ["bad": 1])
        let first = await settled.first(1)
        #expect(first.first?.completion.failure?.error == JobError(.invalidInput, "no", field: "/bad"))
        #expect(first.first?.verdict == .applied(.failed))
        try await fixture.add(1, input: ["x": 1])
        let error = await settled.first(1).first?.completion.failure?.error
        #expect(error?.category == .handler)
        #expect(error?.message.contains("score") == true)
        await worker.drain(timeout: .seconds(5))
    }

    @Test("A drain does not wait for a broker that is stuck")
    func drainsBesideAStuckBroker() async throws {
        let fixture = try await WorkerFixture(broker: StuckBroker(InProcessBroker()))
        let worker = fixture.worker(FunctionHandler { $0 })
        await worker.start()
        try await until { try await !fixture.inner.workers().isEmpty }
        await worker.drain(timeout: .seconds(1))
        #expect(try await fixture.inner.workers().isEmpty)
    }

    @Test("A cancel hint stops a handler within 1 s; without a hint a beat does", arguments: [true, false])
    func cancels(hint: Bool) async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        let worker = fixture.worker(handler) { if hint { $0.beatInterval = .seconds(2) } }
        await worker.start()
        let jobs = try await fixture.add(1)
        let job = try #require(await handler.started.first(1).first)
        let begun = ContinuousClock.now
        let outcome = try await fixture.inner.settle(
            [Settlement(job: jobs[0].id, event: .cancelled)],
            tasks: [],
            finishing: DirectFinishing()
        )
        #expect(outcome.verdicts == [.applied(.cancelled)])
        if hint { fixture.results.tell(.cancelled([try #require(job.lease)])) }
        _ = await handler.stopped.first(1)
        #expect(ContinuousClock.now - begun < .seconds(1))
        // Its slot serves the next.
        try await fixture.add(1)
        #expect(await handler.started.first(1).count == 1)
        handler.open()
        await worker.drain(timeout: .seconds(5))
    }

    @Test("A cancel hint that is faster than the claim's answer keeps the handler from starting")
    func cancelsBeforeTheClaimIsAnswered() async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        handler.open()
        let worker = fixture.worker(handler) { $0.beatInterval = .seconds(2) }
        let (claimed, sink) = AsyncStream<Void>.makeStream()
        let answer = OneShot<Void>()
        fixture.ledger.whenClaimed {
            sink.yield()
            _ = try? await answer.value()
        }
        await worker.start()
        let job = try await fixture.add(1)[0]
        _ = await claimed.first(1)
        let lease = try #require(try await fixture.inner.job(job.id)?.job.lease)
        let cancel = Settlement(job: job.id, event: .cancelled)
        _ = try await fixture.inner.settle([cancel], tasks: [], finishing: DirectFinishing())
        fixture.results.tell(.cancelled([lease]))
        try await until { worker.floor.leases.stoppedEarly == 1 }
        answer.finish(.success(()))
        let next = try await fixture.add(1)[0]
        #expect(await handler.started.first(1).first?.id == next.id, "the cancelled one never started")
        #expect(worker.floor.leases.stoppedEarly == 0)
        await worker.drain(timeout: .seconds(5))
    }

    @Test("A hint that the ledger knows nothing of costs no job")
    func survivesWrongHint() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let handler = HoldHandler()
        let worker = fixture.worker(handler)
        await worker.start()
        try await fixture.add(1)
        let job = try #require(await handler.started.first(1).first)
        handler.open()
        _ = await settled.first(1)
        let second = HoldHandler()
        await worker.drain(timeout: .seconds(5))
        let other = fixture.worker(second)
        await other.start()
        try await fixture.add(1)
        let held = try #require(await second.started.first(1).first)
        #expect(held.id != job.id)
        fixture.results.tell(.cancelled([try #require(held.lease)]))
        _ = await second.stopped.first(1)
        // Handed back after a beat, and claimed again.
        let again = try #require(await second.started.first(1).first)
        #expect(again.id == held.id)
        second.open()
        #expect(await settled.first(1).first?.verdict == .applied(.succeeded))
        await other.drain(timeout: .seconds(5))
    }

    @Test("An attempt that takes too long is stopped and reported")
    func timesOut() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let handler = HoldHandler()
        let worker = fixture.worker(handler)
        await worker.start()
        try await fixture.add(1) {
            $0.timeout = .milliseconds(200)
            $0.maxAttempts = 1
        }
        let done = try #require(await settled.first(1).first)
        #expect(done.completion.failure?.error.category == .timeout)
        #expect(done.verdict == .applied(.failed))
        await worker.drain(timeout: .seconds(5))
    }

    @Test("A drain lets jobs end that end in time, hands the others back, and leaves nothing held")
    func drains() async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        let worker = fixture.worker(handler, slots: 2)
        await worker.start()
        let jobs = try await fixture.add(3)
        _ = await handler.started.first(2)
        await worker.drain(timeout: .milliseconds(100))
        #expect(handler.inside == 0)
        for job in jobs { #expect(try await fixture.state(job) == .waiting) }
        // One ticket was never claimed, two were made for the jobs that went back.
        #expect(try await fixture.broker.depth(of: QueueName.tickets(service: "work")) == 3)
        #expect(try await fixture.inner.workers().isEmpty)
        let record = try #require(try await fixture.inner.job(jobs[0].id))
        #expect(record.job.failures == 0)
    }

    @Test("A completion that is not settled is sent again until it is")
    func resends() async throws {
        let fixture = try await WorkerFixture()
        let queue = QueueName.completions(service: "work")
        try await fixture.broker.declare(queue)
        let (stream, sink) = AsyncStream<[Delivery]>.makeStream()
        // A reader that loses what it reads.
        let reader = try await fixture.broker.consume(queue, prefetch: 10) { sink.yield($0) }
        let worker = fixture.worker(FunctionHandler { $0 }) {
            $0.resendInterval = .milliseconds(300)
            $0.beatInterval = .milliseconds(100)
        }
        await worker.start()
        try await fixture.add(1)
        let first = await stream.first(1)
        reader.settle(first[0].map(\.tag), .acknowledged)
        let second = await stream.first(1)
        #expect(first[0].first?.body == second[0].first?.body)
        await reader.cancel()
        let settled = try await fixture.settler()
        #expect(await settled.first(1).first?.verdict == .applied(.succeeded))
        await worker.drain(timeout: .seconds(5))
        #expect(await worker.status["unsettled"] == 0)
    }

    @Test("Nobody reads the completions yet: the queue is made and keeps them")
    func declaresCompletions() async throws {
        let fixture = try await WorkerFixture()
        let worker = fixture.worker(HoldHandler.opened(), { _ in })
        await worker.start()
        try await fixture.add(1)
        let settled = try await fixture.late()
        #expect(await settled.first(1).first?.verdict == .applied(.succeeded))
        await worker.drain(timeout: .seconds(5))
    }

    @Test("A job that outlived two workers runs alone")
    func runsAlone() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let handler = HoldHandler()
        let worker = fixture.worker(handler, slots: 4)
        let orphan = try await fixture.orphan(times: JobRules.aloneOrphanings)
        await worker.start()
        _ = await handler.started.first(1)
        let others = try await fixture.add(3)
        #expect(handler.most == 1)
        #expect(worker.floor.gate.isOpen == false)
        handler.open()
        let done = await settled.first(4)
        #expect(done.first?.completion.job == orphan.id)
        #expect(Set(done.map(\.completion.job)) == Set(others.map(\.id) + [orphan.id]))
        await worker.drain(timeout: .seconds(5))
    }

    @Test("While the ledger is away nothing spins; then everything goes on")
    func survivesOutage() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let worker = fixture.worker(FunctionHandler { $0 }, slots: 2)
        await worker.start()
        try await fixture.add(1)
        _ = await settled.first(1)
        fixture.ledger.isDown = true
        try await fixture.add(5)
        // Not a wait for something, but the span in which calls are counted.
        try await Task.sleep(for: .seconds(1))
        #expect(fixture.ledger.refused < 25)
        fixture.ledger.isDown = false
        let done = await settled.first(5)
        #expect(done.allSatisfy { $0.verdict == .applied(.succeeded) })
        await worker.drain(timeout: .seconds(5))
    }
}

extension HoldHandler {
    static func opened() -> HoldHandler {
        let handler = HoldHandler()
        handler.open()
        return handler
    }
}

extension WorkerFixture {
    /// A settler that comes after the first completion was published.
    func late() async throws -> AsyncStream<Settled> {
        let queue = QueueName.completions(service: "work")
        while try await broker.depth(of: queue) ?? 0 == 0 { await Task.yield() }
        return try await settler()
    }

    /// A job that several workers died of.
    func orphan(times: Int) async throws -> Job {
        let job = try await add(1)[0]
        for _ in 0..<times {
            _ = try await inner.claim(service: "work", worker: "dead-\(MeshID())", leases: [MeshID()])
            _ = try await inner.reap(olderThan: .seconds(6), limit: 10)
        }
        return job
    }
}
