// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Testing

@testable import ServiceWorker

/// How far ahead a worker is of those who settle.
@Suite struct SettlingPaceTests {
    private func sent(_ count: Int, to queue: String, _ pace: inout SettlingPace) {
        for _ in 0..<count { pace.sent(to: queue) }
    }

    private func settled(_ count: Int, of queue: String, _ pace: inout SettlingPace) {
        for _ in 0..<count { pace.settled(of: queue) }
    }

    @Test func aQueueThatNobodySettlesDoesNotCount() {
        var pace = SettlingPace()
        sent(20_000, to: "away", &pace)
        sent(3000, to: "here", &pace)
        #expect(pace.ahead == 0 && pace.limit == 4000, "nobody settles yet")
        settled(1000, of: "here", &pace)
        #expect(pace.ahead == 2000)
        pace.beat()
        #expect(pace.ahead == 2000, "what was settled until the last beat still tells")
        settled(1, of: "away", &pace)
        #expect(pace.ahead == 2000 + 19_999, "somebody settles there again")
        pace.beat()
        pace.beat()
        #expect(pace.ahead == 0)
    }

    @Test func theLimitIsThreeQuartersOfWhatIsSettledFromBeatToBeat() {
        var pace = SettlingPace()
        sent(30_000, to: "one", &pace)
        sent(30_000, to: "two", &pace)
        settled(8000, of: "one", &pace)
        settled(4000, of: "two", &pace)
        #expect(pace.limit == 9000)
        pace.beat()
        settled(6000, of: "one", &pace)
        #expect(pace.limit == 9000, "half a beat tells of no slower pace")
        settled(6000, of: "one", &pace)
        #expect(pace.limit == 12_000)
        pace.beat()
        #expect(pace.limit == 9000, "nobody settles the other one any more")
    }

    @Test(arguments: 0..<20) func theSumsAreThoseOfTheQueues(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var pace = SettlingPace()
        var queues: [String: (unsettled: Int, settled: Int, since: Int)] = [:]
        for _ in 0..<5000 {
            let name = "queue-\(Int.random(in: 0..<5, using: &random))"
            var queue = queues[name] ?? (0, 0, 0)
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<50:
                pace.sent(to: name)
                queue.unsettled += 1
            case 50..<97:
                pace.settled(of: name)
                if queue.unsettled > 0 { (queue.unsettled, queue.since) = (queue.unsettled - 1, queue.since + 1) }
            default:
                pace.beat()
                queues[name] = queue
                queues = queues.mapValues { ($0.unsettled, $0.since, 0) }
                queue = queues[name] ?? (0, 0, 0)
            }
            queues[name] = queue
            let active = queues.values.filter { max($0.settled, $0.since) > 0 }
            #expect(pace.ahead == active.reduce(0) { $0 + $1.unsettled })
            #expect(pace.limit == max(4000, active.reduce(0) { $0 + max($1.settled, $1.since) } / 4 * 3))
        }
    }
}
