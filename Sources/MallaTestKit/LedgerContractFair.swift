// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    private typealias Lane = FairRanks.Lane

    private static func tail(_ lane: Lane, _ user: String, _ finish: Int64) -> FairTail {
        FairTail(lane: lane, user: user, finish: finish)
    }

    /// Gives a user's jobs their ranks and creates them.
    private static func submit(
        _ count: Int,
        by user: String,
        priority: Int = 0,
        _ ranks: inout FairRanks,
        _ fixture: LedgerFixture
    ) async throws {
        let lane = Lane(service: "alpha", priority: priority)
        var given: [Int64] = []
        for _ in 0..<count { given.append(ranks.next(in: lane, user: user)) }
        try await fixture.create(count) { job, index in
            job.rank = given[index]
            var labels = JobLabels()
            labels.user = user
            labels.priority = priority
            job.labels = labels
        }
    }

    /// Exchanges what a process knows with the ledger.
    private static func exchange(_ ranks: inout FairRanks, _ fixture: LedgerFixture) async throws {
        let fresh = ranks.takeFresh().map { FairTail(lane: $0.lane, user: $0.user, finish: $0.finish) }
        let view = try await fixture.ledger.share(fresh, services: ["alpha"])
        ranks.learn(view.tails.map { ($0.lane, $0.user, $0.finish) }, heads: view.heads)
    }

    static let fairCases = [
        Case("tails only grow, and are forgotten behind their queue's head") { fixture in
            let lane = Lane(service: "alpha", priority: 2)
            let other = Lane(service: "beta", priority: 2)
            let first = try await fixture.ledger.share(
                [tail(lane, "ada", 50), tail(lane, "bob", 20), tail(other, "ada", 7)],
                services: ["alpha"]
            )
            try requireEqual(Set(first.tails), [tail(lane, "ada", 50), tail(lane, "bob", 20)], "tails")
            try requireEqual(first.heads, [:], "heads of empty queues")
            let second = try await fixture.ledger.share(
                [tail(lane, "ada", 40), tail(lane, "bob", 30)],
                services: ["alpha", "beta", "gamma"]
            )
            try requireEqual(
                Set(second.tails),
                [tail(lane, "ada", 50), tail(lane, "bob", 30), tail(other, "ada", 7)],
                "tails of two services"
            )
            try await fixture.create { job, _ in job.rank = lane.base + 30 }
            let third = try await fixture.ledger.share([], services: ["alpha"])
            try requireEqual(third.heads, [lane: lane.base + 30], "heads")
            try requireEqual(third.tails, [tail(lane, "ada", 50)], "tails ahead of the head")
            _ = try await fixture.claimOne()
            let fourth = try await fixture.ledger.share([], services: ["alpha", "beta"])
            try requireEqual(fourth.heads, [:], "heads of a queue that ran empty")
            try requireEqual(Set(fourth.tails), [tail(lane, "ada", 50), tail(other, "ada", 7)], "tails after it")
            let none = try await fixture.ledger.share([], services: [])
            try require(none.tails.isEmpty && none.heads.isEmpty, "a view of no service")
        },
        Case("each lane has the head of its own due jobs") { fixture in
            let lanes = [7, 3, 0, -1, -7].map { Lane(service: "alpha", priority: $0) }
            let later = Timestamp.now + .seconds(600)
            try await fixture.create(lanes.count * 4) { job, index in
                let lane = lanes[index / 4]
                job.rank = lane.base + [5, 900, FairRanks.Lane.span - 1, 1][index % 4]
                if index % 4 == 3 { job.runAfter = later }
            }
            try await fixture.create(1, service: "beta") { job, _ in job.rank = 3 }
            let view = try await fixture.ledger.share([], services: ["alpha", "gamma"])
            let expected = Dictionary(uniqueKeysWithValues: lanes.map { ($0, $0.base + 5) })
            try requireEqual(view.heads, expected, "heads")
            let tails = lanes.map { tail($0, "ada", 5) } + lanes.map { tail($0, "bob", 6) }
            let ahead = try await fixture.ledger.share(tails, services: ["alpha"]).tails
            try requireEqual(Set(ahead), Set(lanes.map { tail($0, "bob", 6) }), "tails ahead of their heads")
        },
        Case("two processes that share stay fair: 2,000 jobs of one user let another's through") { fixture in
            var (left, right) = (FairRanks(), FairRanks())
            try await submit(2000, by: "ada", &left, fixture)
            try await exchange(&left, fixture)
            for _ in 0..<5 { _ = try await fixture.claim(100) }
            try await exchange(&right, fixture)
            try await submit(1, by: "bob", &right, fixture)
            try await submit(20, by: "eve", priority: 1, &right, fixture)
            let urgent = try await fixture.claim(20)
            try require(urgent.allSatisfy { $0.job.labels?.user == "eve" }, "a lower priority came first")
            let next = try await fixture.claim(2).map { $0.job.labels?.user ?? "" }
            try require(next.contains("bob"), "one job waits behind 1,500 of another user: \(next)")
            try await exchange(&left, fixture)
            try await exchange(&right, fixture)
            try await submit(100, by: "bob", &right, fixture)
            try await submit(100, by: "ada", &left, fixture)
            let mixed = try await fixture.claim(100).map { $0.job.labels?.user ?? "" }
            let bobs = mixed.count { $0 == "bob" }
            try require((48...52).contains(bobs), "bob's share of 100 claims is \(bobs)")
        },
        Case("users who tell their tails from many processes at once lose none") { fixture in
            let lane = Lane(service: "alpha", priority: 0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for process in 1...8 {
                    group.addTask {
                        for round in 1...5 {
                            let users = process.isMultiple(of: 2) ? Array(0..<20) : Array((0..<20).reversed())
                            _ = try await fixture.ledger.share(
                                users.map { tail(lane, "u\($0)", Int64(process * 100 + round)) },
                                services: ["alpha"]
                            )
                        }
                    }
                }
                try await group.waitForAll()
            }
            let tails = try await fixture.ledger.share([], services: ["alpha"]).tails
            try requireEqual(Set(tails), Set((0..<20).map { tail(lane, "u\($0)", 805) }), "tails")
        },
    ]
}
