// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Testing

@testable import Workflow

/// What fairness promises, whatever the process that gives out ranks knows late.
@Suite struct FairRanksTests {
    private let lane = FairRanks.Lane(service: "s", priority: 0)

    @Test(arguments: [1, 7, 100]) func oneJobWaitsForAtMostOneOfTenThousand(period: Int) {
        for seed in 0..<20 {
            var generator = SeededGenerator(seed: UInt64(seed))
            var (ranks, queue) = (FairRanks(), FairQueue())
            queue.submit(10_000, by: "heavy", lane: lane, &ranks)
            _ = queue.claim(Int.random(in: 0..<2000, using: &generator), learningEvery: period, &ranks)
            queue.submit(1, by: "light", lane: lane, &ranks)
            let next = queue.claim(2)
            #expect(next.contains("light"), "seed \(seed): \(next)")
        }
    }

    @Test func oneJobWaitsForAtMostOneOfEachOther() {
        var (ranks, queue) = (FairRanks(), FairQueue())
        for round in 0..<10 {
            for user in 0..<20 { queue.submit(100, by: "u\(user)", lane: lane, &ranks) }
            _ = queue.claim(500, learningEvery: 100, &ranks)
            queue.submit(1, by: "light", lane: lane, &ranks)
            let before = queue.claim(21).prefix { $0 != "light" }
            #expect(Set(before).count == before.count && before.count <= 20, "round \(round): \(before)")
        }
    }

    @Test func weightsDivideTheService() {
        let weights = ["half": 0.5, "one": 1, "two": 2, "three": 3, "ten": 10]
        var (ranks, queue) = (FairRanks(), FairQueue())
        // In turns and in uneven batches, so that no user's jobs are ranked at one go.
        for _ in 0..<20 {
            for (user, weight) in weights { queue.submit(500, by: user, lane: lane, weight: weight, &ranks) }
        }
        let claimed = queue.claim(8250, learningEvery: 100, &ranks)
        let counts = Dictionary(claimed.map { ($0, 1) }, uniquingKeysWith: +)
        for (user, weight) in weights {
            let share = 8250 * weight / 16.5
            #expect(abs(Double(counts[user] ?? 0) - share) <= 2, "\(user): \(counts[user] ?? 0) of \(share)")
        }
    }

    @Test(arguments: [1, 100]) func anIdleTimeEarnsNothingAndCostsNothing(period: Int) {
        var (ranks, queue) = (FairRanks(), FairQueue())
        queue.submit(1, by: "idle", lane: lane, &ranks)
        queue.submit(10_000, by: "busy", lane: lane, &ranks)
        _ = queue.claim(3000, learningEvery: period, &ranks)
        queue.submit(1000, by: "idle", lane: lane, &ranks)
        let share = queue.claim(1000, learningEvery: period, &ranks).count { $0 == "idle" }
        // What happened since the process learned last counts as if it had not.
        #expect((499...(501 + period)).contains(share), "\(share)")
    }

    @Test func anEmptyQueueForgetsWhoUsedItBefore() {
        var (ranks, queue) = (FairRanks(), FairQueue())
        queue.submit(5000, by: "busy", lane: lane, &ranks)
        _ = queue.claim(5000, learningEvery: 100, &ranks)
        queue.exchange(&ranks)
        queue.submit(200, by: "busy", lane: lane, &ranks)
        queue.submit(200, by: "new", lane: lane, &ranks)
        let share = queue.claim(200).count { $0 == "new" }
        #expect((99...101).contains(share), "\(share)")
    }

    @Test func prioritiesNeverMix() {
        var generator = SeededGenerator(seed: 3)
        var ranks = FairRanks()
        var bounds: [Int: ClosedRange<Int64>] = [:]
        for step in 0..<5000 {
            let priority = Int.random(in: JobLabels.priorities, using: &generator)
            let lane = FairRanks.Lane(service: "s", priority: priority)
            let weight = [0, 0.001, 1, 1000, .infinity].randomElement(using: &generator) ?? 1
            if step == 2500 {
                // As far as a queue can come in any time.
                ranks.learn([(lane, "u0", FairRanks.Lane.span - 5)], heads: [lane: lane.base])
            }
            let user = "u\(Int.random(in: 0..<3, using: &generator))"
            let rank = ranks.next(in: lane, user: user, weight: weight)
            #expect(rank >= lane.base && rank - lane.base < FairRanks.Lane.span)
            let known = bounds[priority] ?? rank...rank
            bounds[priority] = min(known.lowerBound, rank)...max(known.upperBound, rank)
        }
        let lanes = bounds.sorted { $0.key > $1.key }.map(\.value)
        #expect(lanes.count == JobLabels.priorities.count)
        for (higher, lower) in zip(lanes, lanes.dropFirst()) { #expect(higher.upperBound < lower.lowerBound) }
    }

    @Test func aUsersOwnJobsStayInOrder() {
        for seed in 0..<30 {
            var generator = SeededGenerator(seed: UInt64(seed))
            var (ranks, queue) = (FairRanks(), FairQueue())
            var seen: [String: Int] = [:]
            for _ in 0..<200 {
                let user = "u\(Int.random(in: 0..<4, using: &generator))"
                let weight = Double.random(in: 0.1...8, using: &generator)
                let count = Int.random(in: 0..<20, using: &generator)
                queue.submit(count, by: user, lane: lane, weight: weight, &ranks)
                for _ in 0..<Int.random(in: 0..<20, using: &generator) {
                    guard let entry = queue.claim() else { break }
                    #expect(entry.number == seen[entry.user, default: 0], "seed \(seed)")
                    seen[entry.user] = entry.number + 1
                }
                if Int.random(in: 0..<5, using: &generator) == 0 { queue.exchange(&ranks) }
            }
        }
    }

    @Test func servicesKnowNothingOfOneAnother() {
        var ranks = FairRanks()
        let other = FairRanks.Lane(service: "t", priority: 0)
        for _ in 0..<1000 { _ = ranks.next(in: lane, user: "u") }
        #expect(ranks.next(in: other, user: "u") == other.base)
    }

    @Test func twoProcessesThatShareStayFair() {
        var (left, right, queue) = (FairRanks(), FairRanks(), FairQueue())
        var claimed: [String] = []
        for round in 0..<100 {
            queue.submit(round == 0 ? 5000 : 50, by: "ada", lane: lane, &left)
            queue.submit(100, by: "bob", lane: lane, &right)
            queue.exchange(&left)
            queue.exchange(&right)
            claimed += queue.claim(100)
        }
        let bobs = claimed.count { $0 == "bob" }
        #expect((4800...5200).contains(bobs), "\(bobs) of 10,000")
        queue.submit(1, by: "light", lane: lane, &right)
        #expect(queue.claim(3).contains("light"))
    }

    @Test func aProcessThatStartsLateRanksWhereTheQueueStands() {
        var (left, queue) = (FairRanks(), FairQueue())
        queue.submit(10_000, by: "ada", lane: lane, &left)
        _ = queue.claim(4000, learningEvery: 100, &left)
        var right = FairRanks()
        queue.exchange(&right)
        queue.submit(1000, by: "bob", lane: lane, &right)
        queue.submit(1000, by: "ada", lane: lane, &right)
        let share = queue.claim(1000).count { $0 == "bob" }
        #expect((499...501).contains(share), "\(share)")
    }

    @Test func onlyFreshTailsAreToldOnce() {
        var ranks = FairRanks()
        #expect(ranks.takeFresh().isEmpty)
        _ = ranks.next(in: lane, user: "ada")
        _ = ranks.next(in: lane, user: "ada", weight: 2)
        let fresh = ranks.takeFresh()
        #expect(fresh.map(\.user) == ["ada"] && fresh.map(\.finish) == [FairRanks.unit * 3 / 2])
        #expect(ranks.takeFresh().isEmpty)
        ranks.learn([(lane, "bob", 7)], heads: [lane: lane.base])
        #expect(ranks.takeFresh().isEmpty)
    }
}
