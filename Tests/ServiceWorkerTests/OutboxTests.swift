// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import MallaTestKit
import Plumbing
import Synchronization
import Testing
import Workflow

@testable import ServiceWorker

/// What a worker keeps until it is settled.
@Suite(.timeLimit(.minutes(2))) struct OutboxTests {
    private final class Calls: Sendable {
        private let number = Mutex(0)
        var count: Int { number.withLock { $0 } }
        func add() { number.withLock { $0 += 1 } }
    }

    /// Without a bound a fast worker is so far ahead that the looks at what is unsettled cost more than the settling.
    @Test func theFasterOfTwoStaysOnlySoFarAhead() async throws {
        let fixture = try await WorkerFixture()
        let outbox = fixture.worker(FunctionHandler { $0 }).floor.outbox
        let rooms = Calls()
        outbox.whenRoom { rooms.add() }
        let job = Job(id: MeshID(), service: "work", createdAt: .now)
        try await fixture.broker.declare(QueueName.completions(of: job))
        func send(_ leases: [LeaseID]) {
            for lease in leases {
                let completion = Completion(job: job.id, lease: lease, failure: nil, result: [], runMilliseconds: 1)
                outbox.send(completion, of: job)
            }
        }
        let early = (0..<150).map { _ in LeaseID() }
        send(early)
        outbox.forget(Array(early[..<100]))
        let leases = (0..<8000).map { _ in LeaseID() }
        send(Array(leases[..<3999]))
        #expect(!outbox.isFull, "what was sent before anything was settled does not count")
        send(Array(leases[3999...]))
        #expect(outbox.isFull, "8,000 are unsettled, and 100 were settled from beat to beat")
        outbox.forget([])
        #expect(!outbox.isFull && rooms.count == 1, "whoever settles is away")
        outbox.forget(Array(early[100...] + leases[..<7900]))
        let more = (0..<6000).map { _ in LeaseID() }
        send(Array(more[..<5900]))
        #expect(!outbox.isFull, "7,950 were settled")
        send(Array(more[5900...]))
        #expect(outbox.isFull)
        outbox.forget(Array(leases[7900...] + more[..<50]), isBetweenBeats: true)
        #expect(!outbox.isFull && rooms.count == 2, "5,950 are left")
    }

    /// Between beats those are asked about that are settled first, and nobody is asked about for ever.
    @Test func looksGoByTheOrderOfSending() async throws {
        let fixture = try await WorkerFixture()
        let outbox = fixture.worker(FunctionHandler { $0 }).floor.outbox
        let job = Job(id: MeshID(), service: "work", createdAt: .now)
        try await fixture.broker.declare(QueueName.completions(of: job))
        let leases = (0..<3000).map { _ in LeaseID() }
        func send(_ lease: LeaseID, of job: Job) {
            outbox.send(
                Completion(job: job.id, lease: lease, failure: nil, result: [], runMilliseconds: 1),
                of: job
            )
        }
        func asked() -> [LeaseID] { outbox.nextProbes().map(\.lease) }
        var foreign = Job(id: MeshID(), service: "work", createdAt: .now)
        foreign.app = "away"
        let away = LeaseID()
        send(away, of: foreign)
        let first = LeaseID()
        send(first, of: job)
        #expect(asked().isEmpty, "nobody settles yet")
        outbox.forget([first], isBetweenBeats: true)
        for lease in leases { send(lease, of: job) }
        #expect(asked() == Array(leases[..<1000]))
        outbox.forget(Array(leases[..<500]), isBetweenBeats: true)
        for _ in 0..<3 { #expect(asked() == Array(leases[500..<1500])) }
        #expect(asked() == Array(leases[1000..<2000]), "the first 500 were asked about four times")
        outbox.forget(Array(leases[1000..<1990]))
        #expect(asked() == Array(leases[1990..<2990]))
        for _ in 0..<8 {
            let leases = asked()
            #expect(leases.count <= 1000 && Set(leases).count == leases.count, "each is asked about once in a look")
        }
        #expect(asked().isEmpty)
        #expect(
            Set(outbox.probes.map(\.lease)) == Set([away] + leases[500..<1000] + leases[1990...]),
            "a beat asks about all"
        )
    }

    /// A worker that knows that somebody settles, and does not beat any more by itself.
    private func workerWithoutBeats(
        _ fixture: WorkerFixture,
        _ settled: AsyncStream<WorkerFixture.Settled>
    ) async throws -> ServiceWorker {
        // One beat at the start, and none after it.
        let worker = fixture.worker(FunctionHandler { $0 }, slots: 64) { $0.beatInterval = .seconds(600) }
        await worker.start()
        // Only when something was settled lately the outbox is bound to less than 50,000.
        try await fixture.add(1)
        _ = await settled.first(1)
        await worker.beat()
        #expect(worker.floor.outbox.count == 0)
        return worker
    }

    /// An app whose App APIs are all away must not keep a worker from the others' jobs, nor from learning that they are
    /// settled.
    @Test func whatNobodySettlesHoldsUpNothing() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let worker = fixture.worker(FunctionHandler { $0 }, slots: 64)
        await worker.start()
        // Only when something was settled lately the outbox is bound to less than 50,000.
        try await fixture.add(1)
        _ = await settled.first(1)
        try await until { worker.floor.outbox.count == 0 }
        try await fixture.add(4500) { $0.app = "away" }
        let jobs = try await fixture.add(6000)
        #expect(await settled.first(jobs.count).count == jobs.count)
        #expect(worker.floor.outbox.count >= 4500)
        await worker.drain(timeout: .zero)
    }

    /// A fast worker fills its outbox between two beats; it must learn earlier that all of it is settled.
    @Test func whatIsSettledIsLearntBeforeTheNextBeat() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let worker = try await workerWithoutBeats(fixture, settled)
        let jobs = try await fixture.add(6000)
        #expect(await settled.first(jobs.count).count == jobs.count)
        await worker.drain(timeout: .seconds(5))
    }

    /// A broker's work is by the message: completions of one queue share one, within bounds.
    @Test func whatGoesToOneQueueTravelsTogether() throws {
        func messages(_ count: Int, _ queue: String, bytes: Int) -> [Message] {
            (0..<count).map { number in
                Message(queue: queue, body: Array(repeating: UInt8(number % 251), count: bytes), trace: "trace")
            }
        }
        let small = messages(CompletionBatch.maxCount * 2 + 1, "a", bytes: 10)
        let large = messages(3, "b", bytes: CompletionBatch.maxBytes / 2)
        let huge = messages(2, "c", bytes: CompletionBatch.maxBytes + 1)
        let joined = Outbox.joined(small + large + huge)
        for (queue, own, count) in [("a", small, 3), ("b", large, 2), ("c", huge, 2)] {
            let found = joined.filter { $0.queue == queue }
            #expect(found.count == count)
            #expect(try found.flatMap { try CompletionBatch.bodies(of: $0.body) } == own.map(\.body))
        }
        #expect(joined.filter { $0.trace != nil }.count == 4, "one that travels alone keeps its trace")
        #expect(Outbox.joined([]).isEmpty)
    }
}
