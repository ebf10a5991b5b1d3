// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Testing

@testable import ServiceWorker

/// How far ahead a worker is of those who settle.
@Suite struct SettlingPaceTests {
    private func sent(_ count: Int, to queue: String, _ pace: inout SettlingPace) {
        for _ in 0..<count { _ = pace.sent(to: queue) }
    }

    private func settled(_ count: Int, of queue: String, _ pace: inout SettlingPace) {
        for _ in 0..<count { pace.settled(of: queue) }
    }

    @Test func whatWasSentWhileNobodySettledDoesNotCount() {
        var pace = SettlingPace()
        sent(20_000, to: "away", &pace)
        sent(3000, to: "here", &pace)
        #expect(pace.ahead == 0 && pace.limit == 4000, "nobody settles yet")
        settled(2000, of: "here", &pace)
        #expect(pace.isSettled("here") && !pace.isSettled("away"))
        sent(3000, to: "here", &pace)
        sent(1, to: "away", &pace)
        #expect(pace.ahead == 3000, "1,000 were sent before")
        pace.beat()
        #expect(pace.ahead == 3000 && pace.isSettled("here"), "what was settled until the last beat still tells")
        settled(1, of: "away", &pace)
        sent(10_000, to: "away", &pace)
        #expect(pace.ahead == 3000, "whoever is back works off what is old first")
        settled(2500, of: "here", &pace)
        #expect(pace.ahead == 1500, "1,000 of the old ones came first")
        pace.beat()
        pace.beat()
        #expect(pace.ahead == 0 && !pace.isSettled("here"))
    }

    /// In a flood a part of what was sent before the first beat is left when it tells of the others.
    @Test func whatIsSentBehindAFewOldOnesCounts() {
        var pace = SettlingPace()
        sent(3000, to: "here", &pace)
        settled(2000, of: "here", &pace)
        pace.beat()
        sent(6000, to: "here", &pace)
        #expect(pace.ahead == 6000 && pace.limit == 4000)
        settled(3000, of: "here", &pace)
        #expect(pace.ahead == 4000, "the 1,000 that do not count came first")
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
        struct Queue {
            var unsettled = 0, counted = 0, settled = 0, since = 0
            var rate: Int { max(settled, since) }
        }
        var queues: [String: Queue] = [:]
        for _ in 0..<5000 {
            let name = "queue-\(Int.random(in: 0..<5, using: &random))"
            var queue = queues[name] ?? Queue()
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<50:
                let counts = queue.rate > 0 && queue.unsettled - queue.counted <= queue.rate
                #expect(pace.sent(to: name) == counts)
                queue.unsettled += 1
                if counts { queue.counted += 1 }
            case 50..<97:
                pace.settled(of: name)
                guard queue.unsettled > 0 else { continue }
                (queue.unsettled, queue.since) = (queue.unsettled - 1, queue.since + 1)
                queue.counted = min(queue.counted, queue.unsettled)
            default:
                pace.beat()
                for (name, var other) in queues {
                    (other.settled, other.since) = (other.since, 0)
                    if other.settled == 0 { other.counted = 0 }
                    queues[name] = other
                }
                continue
            }
            queues[name] = queue
            #expect(pace.ahead == queues.values.reduce(0) { $0 + $1.counted })
            #expect(pace.limit == max(4000, queues.values.reduce(0) { $0 + $1.rate } / 4 * 3))
            for (name, queue) in queues { #expect(pace.isSettled(name) == (queue.rate > 0)) }
        }
    }
}
