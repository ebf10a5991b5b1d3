// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Testing

@testable import BrokerRabbitMQ

struct LanesInTurnTests {
    @Test func lanesAreServedInTurnAndEachInItsOrder() {
        var lanes = LanesInTurn<Int>()
        for number in 0..<5 { lanes.append(number, to: "a") }
        for number in 10..<12 { lanes.append(number, to: "b") }
        lanes.append(20, to: "c")
        var taken: [Int] = []
        for _ in 0..<4 { if let next = lanes.popFirst() { taken.append(next) } }
        // A lane that was empty comes in again at the end.
        lanes.append(21, to: "c")
        while let next = lanes.popFirst() { taken.append(next) }
        #expect(taken == [0, 10, 20, 1, 11, 21, 2, 3, 4])
        #expect(lanes.isEmpty && lanes.popFirst() == nil)
    }

    @Test func randomUseKeepsEveryElementOnceAndTheOrderOfLanes() {
        var generator = SystemRandomNumberGenerator()
        var lanes = LanesInTurn<(lane: Int, number: Int)>()
        var next = [0, 0, 0, 0]
        var expected = [0, 0, 0, 0]
        for _ in 0..<20_000 {
            if Bool.random(using: &generator) || lanes.isEmpty {
                let lane = Int.random(in: 0..<4, using: &generator)
                lanes.append((lane, next[lane]), to: "lane \(lane)")
                next[lane] += 1
            } else if let element = lanes.popFirst() {
                #expect(element.number == expected[element.lane])
                expected[element.lane] += 1
            }
        }
        #expect(lanes.all.count == lanes.count && lanes.count == zip(next, expected).map { $0 - $1 }.reduce(0, +))
        while let element = lanes.popFirst() {
            #expect(element.number == expected[element.lane])
            expected[element.lane] += 1
        }
        #expect(next == expected)
    }

    @Test func headsAreDroppedFromEveryLane() {
        var lanes = LanesInTurn<Int>()
        for (element, lane) in [(1, "a"), (2, "a"), (-1, "b"), (-2, "b"), (-3, "a"), (3, "c")] {
            lanes.append(element, to: lane)
        }
        #expect(lanes.dropHeads { $0 < 0 } == 2)
        #expect(lanes.count == 4 && lanes.popFirst() == 1 && lanes.popFirst() == 3)
    }

    @Test func tenThousandTicketsOfOneServiceDoNotHoldUpAnothers() throws {
        var ledger = ConfirmLedger()
        ledger.post(Array(repeating: Message(queue: "fan-out", body: []), count: 10_000))
        ledger.post([Message(queue: "other", body: [])])
        let first = (0..<2).compactMap { _ in ledger.takeNext()?.message.queue }
        #expect(first.contains("other"))
    }
}
