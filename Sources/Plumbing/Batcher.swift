// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

/// Gathers what waits while a batch is under way and performs it as the next batch.
///
/// Nothing waits for a batch to fill and no timer runs: the first element goes out alone at once, whatever arrives
/// meanwhile goes out together. With `lanes` above 1 that many batches overlap.
public final class Batcher<Element: Sendable, Output: Sendable>: Sendable {
    /// Performs one batch; returns one result per element, in order.
    public typealias Perform = @Sendable ([Element]) async -> [Result<Output, any Error>]

    private struct Waiting {
        var queue: [(element: Element, answer: OneShot<Output>?)] = []
        var head = 0
        var busyLanes = 0
    }

    private let lanes: Int
    private let maxSize: Int
    private let perform: Perform
    private let waiting = Mutex(Waiting())

    /// Makes a batcher.
    ///
    /// - Parameters:
    ///   - lanes: how many batches may be under way at once.
    ///   - maxSize: how many elements one batch holds at most.
    ///   - perform: does the work of one batch; a missing result counts as a failure of its element.
    public init(lanes: Int = 1, maxSize: Int = 512, perform: @escaping Perform) {
        self.lanes = lanes
        self.maxSize = maxSize
        self.perform = perform
    }

    /// Hands an element in and waits for its result.
    ///
    /// - Throws: what the batch failed with, or `CancellationError`; a cancelled element may still be performed.
    public func submit(_ element: Element) async throws -> Output {
        let answer = OneShot<Output>()
        add(element, answer)
        return try await answer.value()
    }

    /// Hands an element in whose result nobody waits for.
    public func post(_ element: Element) { add(element, nil) }

    private func add(_ element: Element, _ answer: OneShot<Output>?) {
        let mustStartLane = waiting.withLock { waiting in
            waiting.queue.append((element, answer))
            guard waiting.busyLanes < lanes else { return false }
            waiting.busyLanes += 1
            return true
        }
        // Not a child of the caller: a batch holds other callers' elements and outlives this one's cancellation.
        if mustStartLane { Task { await runLane() } }
    }

    private func runLane() async {
        while let batch = takeBatch() {
            let results = await perform(batch.map(\.element))
            for (index, entry) in batch.enumerated() {
                entry.answer?.finish(index < results.count ? results[index] : .failure(MissingBatchResult()))
            }
        }
    }

    private func takeBatch() -> [(element: Element, answer: OneShot<Output>?)]? {
        waiting.withLock { waiting in
            let end = min(waiting.queue.count, waiting.head + maxSize)
            guard end > waiting.head else {
                waiting.busyLanes -= 1
                return nil
            }
            let batch = Array(waiting.queue[waiting.head..<end])
            waiting.head = end
            if end == waiting.queue.count {
                waiting.queue.removeAll(keepingCapacity: true)
                waiting.head = 0
            } else if waiting.head > maxSize, waiting.head * 2 > waiting.queue.count {
                // Under a load that never lets the queue run empty, what was taken must not pile up.
                waiting.queue.removeFirst(waiting.head)
                waiting.head = 0
            }
            return batch
        }
    }
}

/// Says that a batch ended without a result for one of its elements, a fault of the batch's own code.
public struct MissingBatchResult: Error {}
