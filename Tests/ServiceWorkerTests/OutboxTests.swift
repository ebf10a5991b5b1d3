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
}
