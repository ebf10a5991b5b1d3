// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Plumbing
import Synchronization
import Testing
import Workflow

@testable import Completions

@Suite(.timeLimit(.minutes(1))) struct InboxTests {
    @Test func anInboxKeepsToItsLimitAndEnds() async {
        let inbox = Inbox<Int>(limit: 3)
        #expect(inbox.put([1, 2]) == [] && inbox.put([3, 4, 5]) == [4, 5])
        #expect(await inbox.take(upTo: 2) == [1, 2])
        #expect(inbox.put([6, 7, 8]) == [8])
        inbox.drop { $0 == 6 }
        #expect(inbox.put([9]) == [] && inbox.put([10]) == [10])
        #expect(await inbox.take(upTo: 2) == [3, 7])
        inbox.close()
        #expect(inbox.put([11]) == [11])
        #expect(await inbox.take(upTo: 9) == nil)
    }

    @Test func aCancelledTakerLeavesItsTurnToAnother() async throws {
        let first = Task { await inbox.take(upTo: 9) }
        try await until { inbox.waitingTakers == 1 }
        let second = Task { await inbox.take(upTo: 9) }
        try await until { inbox.waitingTakers == 2 }
        second.cancel()
        #expect(await second.value == nil)
        #expect(inbox.waitingTakers == 1)
        inbox.put(Item.some(0..<1, of: giant))
        #expect(await first.value == Item.some(0..<1, of: giant))
    }

    /// Something about a task.
    private struct Item: Sendable, Equatable {
        let task: TaskID?
        let number: Int

        static func some(_ range: Range<Int>, of task: TaskID?) -> [Item] { range.map { Item(task: task, number: $0) } }
    }

    private let inbox = Inbox<Item> { $0.task }
    private let giant = TaskID()
    private let other = TaskID()
    private let third = TaskID()

    @Test func aGiantHoldsNobodyUp() async throws {
        inbox.put(Item.some(0..<500, of: giant) + Item.some(0..<1, of: other) + Item.some(0..<1, of: third))
        let first = try #require(await inbox.take(upTo: 256))
        #expect(first == Item.some(0..<85, of: giant) + Item.some(0..<1, of: other) + Item.some(0..<1, of: third))
        let fourth = TaskID()
        inbox.put(Item.some(1..<2, of: other) + Item.some(0..<1, of: fourth))
        #expect(await inbox.take(upTo: 256) == Item.some(0..<1, of: fourth), "the others are in a taker's hands")
        inbox.done(first)
        let second = try #require(await inbox.take(upTo: 256))
        #expect(second == Item.some(85..<213, of: giant) + Item.some(1..<2, of: other))
        inbox.done(second)
        #expect(await inbox.take(upTo: 256) == Item.some(213..<469, of: giant), "alone it may have all")
    }

    @Test func giantsAreTakenSideBySide() async throws {
        async let one = inbox.take(upTo: 256)
        async let two = inbox.take(upTo: 256)
        try await until { inbox.waitingTakers == 2 }
        inbox.put(Item.some(0..<300, of: giant) + Item.some(0..<300, of: other))
        let batches = [try #require(await one), try #require(await two)]
        #expect(Set(batches.map { $0[0].task }) == [giant, other])
        for batch in batches { #expect(batch == Item.some(0..<256, of: batch[0].task)) }
    }

    @Test func whoDealtWithATaskLetsTheNextHaveIt() async throws {
        inbox.put(Item.some(0..<1, of: giant))
        let first = try #require(await inbox.take(upTo: 9))
        inbox.put(Item.some(1..<2, of: giant))
        async let next = inbox.take(upTo: 9)
        try await until { inbox.waitingTakers == 1 }
        inbox.done(first)
        #expect(await next == Item.some(1..<2, of: giant))
    }

    @Test func whatIsAboutNoTaskIsTakenInItsOrder() async throws {
        inbox.put(Item.some(0..<3, of: nil))
        #expect(await inbox.take(upTo: 2) == Item.some(0..<2, of: nil))
        #expect(await inbox.take(upTo: 2) == Item.some(2..<3, of: nil), "nothing is held")
    }

    /// What the takers of a test have in their hands, and have had.
    private final class Hands: Sendable {
        struct State {
            var held: Set<TaskID> = []
            var taken: [TaskID: [Int]] = [:]
            var count = 0
            /// How often two had the same task's.
            var doubles = 0
        }

        let state = Mutex(State())
        let all = OneShot<Void>()

        func take(_ batch: [Item], of count: Int) -> Set<TaskID> {
            let tasks = Set(batch.compactMap(\.task))
            let isAll = state.withLock { state in
                state.doubles += state.held.intersection(tasks).count
                state.held.formUnion(tasks)
                for item in batch { if let task = item.task { state.taken[task, default: []].append(item.number) } }
                state.count += batch.count
                return state.count == count
            }
            if isAll { all.finish(.success(())) }
            return tasks
        }

        func leave(_ tasks: Set<TaskID>) { state.withLock { $0.held.subtract(tasks) } }
    }

    /// Items of random tasks, takers that deal with them at random: all come once, each task's in its order and never in
    /// two hands, and none is forgotten while a taker waits.
    @Test(arguments: 0..<20) func everythingIsTakenOnceInOrder(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let tasks = (0..<40).map { _ in TaskID() }
        var made: [Item] = []
        for number in 0..<2000 {
            let some = Int.random(in: 1...40, using: &random)
            made.append(Item(task: tasks[Int.random(in: 0..<some, using: &random)], number: number))
        }
        let (items, hands, inbox) = (made, Hands(), inbox)
        try await withThrowingDiscardingTaskGroup { group in
            for _ in 0..<3 {
                group.addTask {
                    while let batch = await inbox.take(upTo: 64) {
                        let tasks = hands.take(batch, of: 2000)
                        await Task.yield()
                        hands.leave(tasks)
                        inbox.done(batch)
                    }
                }
            }
            for start in stride(from: 0, to: 2000, by: 50) {
                inbox.put(Array(items[start..<start + 50]))
                await Task.yield()
            }
            try await hands.all.value()
            inbox.close()
        }
        let end = hands.state.withLock { $0 }
        #expect(end.doubles == 0 && end.count == 2000)
        #expect(end.taken.values.allSatisfy { $0 == $0.sorted() })
    }
}
