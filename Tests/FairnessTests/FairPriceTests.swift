// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Foundation
import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

/// What fairness costs: numbers to be read, no bounds to be held on a machine that does other things as well.
@Suite struct FairPriceTests {
    @Test func aRank() async throws {
        let path = try TestFile.write("default: {weight: 1}\nusers:\n  acme: {weight: 3}\n")
        defer { TestFile.remove(path) }
        let file = try LimitsFile(path: path)
        try await TestLedger.sqlite { ledger in
            let users = (0..<100).map { "app/user\($0)" }
            for (name, limits) in [("without a file", nil), ("with weights", file)] {
                let ranking = FairRanking(ledger: ledger, limits: limits)
                var ranks = Set<Int64>()
                let time = ContinuousClock().measure {
                    for number in 0..<100_000 {
                        let rank = ranking.rank(service: "alpha", user: users[number % 100])
                        if number.isMultiple(of: 100) { ranks.insert(rank) }
                    }
                }
                #expect(ranks.count == 1000)
                print("price: a rank \(name): \(time / 100_000)")
            }
        }
    }

    @Test func createAndClaimOnSQLite() async throws { try await TestLedger.sqlite(createAndClaim) }

    @Test(.needs(.postgres)) func createAndClaimOnPostgreSQL() async throws {
        try await TestLedger.postgres(createAndClaim)
    }

    /// The same jobs of 100 users with ranks by their age, as without fairness, and with fair ones, in turns.
    private func createAndClaim(_ ledger: any Ledger) async throws {
        let (count, rounds) = (5000, 4)
        let queue = FairQueue(ledger: ledger)
        let ranking = FairRanking(ledger: ledger, services: [queue.service])
        var times: [Bool: [Duration]] = [:]
        for round in 0..<rounds * 2 {
            let isFair = round.isMultiple(of: 2)
            let time = try await ContinuousClock().measure {
                var records = (0..<count).flatMap { queue.ranked(1, of: "user\($0 % 100)", by: ranking) }
                if !isFair { for index in records.indices { records[index].job.rank = Timestamp.now.microseconds } }
                try await queue.create(records)
                // As often as it comes to in a second's work.
                if isFair { try await ranking.sync() }
                #expect(try await queue.claim(count).count == count)
            }
            times[isFair, default: []].append(time)
        }
        for (isFair, name) in [(false, "by age"), (true, "fair")] {
            let best = times[isFair]?.min() ?? .zero
            print("price: \(count) jobs created and claimed, ranks \(name): \(best) at best of \(rounds)")
        }
    }
}
