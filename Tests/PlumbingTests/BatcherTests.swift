// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization
import Testing

private struct Oops: Error {}

@Suite(.timeLimit(.minutes(1)))
struct BatcherTests {
    /// Holds the first batch until it is let go.
    private final class Gate: Sendable {
        let open = OneShot<Void>()
        let entered = OneShot<Void>()
        let batches = Mutex<[[Int]]>([])
        let queued = Mutex(0)
    }

    private func gated(_ gate: Gate, lanes: Int = 1, maxSize: Int = 512) -> Batcher<Int, Int> {
        Batcher(lanes: lanes, maxSize: maxSize) { batch in
            let isFirst = gate.batches.withLock { batches in
                batches.append(batch)
                return batches.count == 1
            }
            if isFirst {
                gate.entered.finish(.success(()))
                _ = try? await gate.open.value()
            }
            return batch.map { .success($0 * 2) }
        }
    }

    @Test func whatWaitsGoesInOneBatchInOrder() async throws {
        let gate = Gate()
        let batcher = gated(gate)
        let first = Task { try await batcher.submit(0) }
        try await gate.entered.value()
        let rest = Task {
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 1...50 {
                    group.addTask {
                        gate.queued.withLock { $0 += 1 }
                        return try await batcher.submit(number)
                    }
                }
                return try await group.reduce(0, +)
            }
        }
        while gate.queued.withLock({ $0 }) < 50 { await Task.yield() }
        gate.open.finish(.success(()))
        #expect(try await first.value == 0)
        #expect(try await rest.value == (1...50).reduce(0, +) * 2)
        let batches = gate.batches.withLock { $0 }
        #expect(batches[0] == [0])
        #expect(batches.count <= 3)
        #expect(batches.dropFirst().flatMap { $0 }.sorted() == Array(1...50))
    }

    @Test func aBatchHasAMaximum() async throws {
        let gate = Gate()
        gate.open.finish(.success(()))
        let batcher = gated(gate, maxSize: 3)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<1000 { group.addTask { try await batcher.submit(number) } }
            let sum = try await group.reduce(0, +)
            #expect(sum == (0..<1000).reduce(0, +) * 2)
        }
        #expect(gate.batches.withLock { $0.allSatisfy { $0.count <= 3 } })
    }

    @Test func lanesOverlap() async throws {
        let gate = Gate()
        let batcher = gated(gate, lanes: 2)
        let first = Task { try await batcher.submit(1) }
        try await gate.entered.value()
        #expect(try await batcher.submit(2) == 4)
        gate.open.finish(.success(()))
        #expect(try await first.value == 2)
    }

    @Test func aMissingResultIsAFailure() async {
        let batcher = Batcher<Int, Int> { _ in [] }
        await #expect(throws: MissingBatchResult.self) { try await batcher.submit(1) }
    }

    @Test func whatIsPostedIsPerformedWithTheRest() async throws {
        let gate = Gate()
        let batcher = gated(gate)
        batcher.post(1)
        try await gate.entered.value()
        batcher.post(2)
        gate.open.finish(.success(()))
        #expect(try await batcher.submit(3) == 6)
        #expect(gate.batches.withLock { $0.flatMap(\.self) } == [1, 2, 3])
        // Nobody waits for a result that is missing.
        let careless = Batcher<Int, Int> { $0.contains(5) ? [.success(4)] : [] }
        careless.post(4)
        await #expect(throws: MissingBatchResult.self) { try await careless.submit(6) }
    }

    @Test func aFailureReachesItsElementOnly() async throws {
        let batcher = Batcher<Int, Int> { $0.map { $0 == 3 ? .failure(Oops()) : .success($0) } }
        #expect(try await batcher.submit(1) == 1)
        await #expect(throws: Oops.self) { try await batcher.submit(3) }
        #expect(try await batcher.submit(4) == 4)
    }
}
