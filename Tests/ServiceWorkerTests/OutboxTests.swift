// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Plumbing
import Synchronization
import Testing
import Workflow

@testable import ServiceWorker

/// What a worker keeps until it is settled.
struct OutboxTests {
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
        let leases = (0..<10_000).map { _ in LeaseID() }
        for lease in leases {
            let completion = Completion(job: job.id, lease: lease, failure: nil, result: [], runMilliseconds: 1)
            outbox.send(completion, of: job)
        }
        #expect(!outbox.isFull, "while nobody settles the worker goes on")
        outbox.forget(Array(leases[..<100]))
        #expect(outbox.isFull, "9,900 are left, and 100 were settled since the last beat")
        outbox.forget([])
        #expect(!outbox.isFull && rooms.count == 1, "whoever settles is away")
        outbox.forget(Array(leases[100..<3100]))
        #expect(outbox.isFull, "6,900 are left, and 3,000 were settled")
        outbox.forget(Array(leases[3100..<6500]))
        #expect(!outbox.isFull && rooms.count == 2, "3,500 are never too many")
    }

    /// Between beats those are asked about that are settled first; who is asked about in vain must not hold them up.
    @Test func looksGoByTheOrderOfSending() async throws {
        let fixture = try await WorkerFixture()
        let outbox = fixture.worker(FunctionHandler { $0 }).floor.outbox
        let job = Job(id: MeshID(), service: "work", createdAt: .now)
        try await fixture.broker.declare(QueueName.completions(of: job))
        let leases = (0..<30).map { _ in LeaseID() }
        for lease in leases {
            outbox.send(
                Completion(job: job.id, lease: lease, failure: nil, result: [], runMilliseconds: 1),
                of: job
            )
        }
        func asked() -> [LeaseID] { outbox.probes(next: 10).map(\.lease) }
        #expect(asked() == Array(leases[..<10]))
        outbox.forget(Array(leases[..<5]), isBetweenBeats: true)
        #expect(asked() == Array(leases[5..<15]))
        for _ in 0..<2 { #expect(asked() == Array(leases[5..<15])) }
        #expect(asked() == Array(leases[10..<20]), "five were asked about four times and go last")
        #expect(Set((0..<16).flatMap { _ in asked() }) == Set(leases[5...]), "everybody gets a turn")
        #expect(Set(outbox.probes.map(\.lease)) == Set(leases[5...]))
        outbox.forget(leases)
        #expect(asked().isEmpty && outbox.probes.isEmpty)
    }

    /// A fast worker fills its outbox between two beats; it must learn earlier that all of it is settled.
    @Test func whatIsSettledIsLearntBeforeTheNextBeat() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        // One beat at the start, and none after it.
        let worker = fixture.worker(FunctionHandler { $0 }, slots: 64) { $0.beatInterval = .seconds(600) }
        await worker.start()
        // Only when something was settled lately the outbox is bound to less than 50,000.
        try await fixture.add(1)
        _ = await settled.first(1)
        await worker.beat()
        #expect(worker.floor.outbox.count == 0)
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
