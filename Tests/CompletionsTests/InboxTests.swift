// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Synchronization
import Testing

@testable import Completions

@Suite struct InboxTests {
    @Test func anInboxKeepsToItsLimitAndEnds() async {
        let inbox = Inbox<Int>(limit: 3)
        #expect(inbox.put([1, 2]) == [] && inbox.put([3, 4, 5]) == [4, 5])
        #expect(await inbox.take(upTo: 2) == [1, 2])
        #expect(inbox.put([6, 7, 8]) == [8])
        inbox.close()
        #expect(await inbox.take(upTo: 9) == [3, 6, 7])
        #expect(await inbox.take(upTo: 9) == nil)
        let dropped = Inbox<Int>()
        dropped.put([1])
        dropped.close(dropping: true)
        #expect(await dropped.take(upTo: 1) == nil)
    }

    private static func byTask() -> Inbox<String> {
        Inbox<String> { $0.contains("-") ? String($0.prefix { $0 != "-" }) : nil }
    }

    @Test func aGiantHoldsNobodyUp() async throws {
        let inbox = Self.byTask()
        inbox.put((0..<500).map { "giant-\($0)" } + ["a-0", "b-0"])
        let first = try #require(await inbox.take(upTo: 256))
        #expect(first.count == 34 && first.suffix(2) == ["a-0", "b-0"])
        inbox.put(["a-1", "c-0"])
        #expect(await inbox.take(upTo: 256) == ["c-0"], "the giant and a are in other hands")
        inbox.done(first)
        let second = try #require(await inbox.take(upTo: 256))
        #expect(second.prefix(32) == ArraySlice((32..<64).map { "giant-\($0)" }) && second.last == "a-1")
        inbox.done(second)
        #expect(await inbox.take(upTo: 256)?.count == 256, "alone it may have all")
    }

    @Test func whatConcernsNobodyIsTakenInItsOrder() async throws {
        let inbox = Self.byTask()
        inbox.put(["1", "2", "3"])
        #expect(await inbox.take(upTo: 2) == ["1", "2"])
        #expect(await inbox.take(upTo: 2) == ["3"], "nothing is held")
    }

    /// What the takers of a test have in their hands, and have had.
    private final class Hands: Sendable {
        struct State {
            var held: Set<String> = []
            var taken: [String: [Int]] = [:]
            /// How often two had the same task's.
            var doubles = 0
        }

        let state = Mutex(State())

        func take(_ batch: [String]) -> Set<String> {
            let names = Set(batch.map { String($0.prefix { $0 != "-" }) })
            state.withLock { state in
                state.doubles += state.held.intersection(names).count
                state.held.formUnion(names)
                for one in batch {
                    let parts = one.split(separator: "-")
                    state.taken[String(parts[0]), default: []].append(Int(parts[1]) ?? -1)
                }
            }
            return names
        }

        func leave(_ names: Set<String>) { state.withLock { $0.held.subtract(names) } }
    }

    /// Elements of random tasks, takers that deal with them at random: all come once, each task's in its order and
    /// never in two hands.
    @Test(arguments: 0..<20) func everythingIsTakenOnceInOrder(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let inbox = Self.byTask()
        var elements: [String] = []
        for index in 0..<2000 {
            let tasks = Int.random(in: 1..<40, using: &random)
            elements.append("\(Int.random(in: 0..<tasks, using: &random))-\(index)")
        }
        let arriving = elements
        let hands = Hands()
        await withDiscardingTaskGroup { group in
            for _ in 0..<3 {
                group.addTask {
                    while let batch = await inbox.take(upTo: 64) {
                        let names = hands.take(batch)
                        await Task.yield()
                        hands.leave(names)
                        inbox.done(batch)
                    }
                }
            }
            for start in stride(from: 0, to: 2000, by: 50) {
                inbox.put(Array(arriving[start..<start + 50]))
                await Task.yield()
            }
            inbox.close()
        }
        let end = hands.state.withLock { $0 }
        #expect(end.doubles == 0 && end.taken.values.reduce(0) { $0 + $1.count } == 2000)
        #expect(end.taken.values.allSatisfy { $0 == $0.sorted() })
    }
}
