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

/// Users' shares on real ledgers, with the ranks given out by several processes.
@Suite struct FairShareTests {
    enum Kind: CaseIterable { case sqlite, postgres }

    private func with(_ kind: Kind, _ body: (FairQueue, FairRanking, FairRanking) async throws -> Void) async throws {
        let run: (any Ledger) async throws -> Void = { ledger in
            let rankings = (0..<2).map { _ in FairRanking(ledger: ledger, services: ["alpha"]) }
            try await body(FairQueue(ledger: ledger), rankings[0], rankings[1])
        }
        switch kind {
        case .sqlite: try await TestLedger.sqlite(run)
        case .postgres: try await TestLedger.postgres(run)
        }
    }

    private func floods(_ kind: Kind) async throws {
        try await with(kind) { queue, one, two in
            try await queue.add(10_000, of: "flood", by: one)
            try await one.sync()
            try await two.sync()
            try await queue.add(1, of: "single", by: two)
            let first = try await queue.claim(10)
            #expect(first.prefix(3).contains("single"), "a single job waits for \(first)")

            // Again, with the queue half empty; and the one who comes again is not pushed back for having come before.
            _ = try await queue.claim(5000)
            try await one.sync()
            try await two.sync()
            try await queue.add(1, of: "single", by: one)
            try await queue.add(1, of: "other", by: two)
            let second = try await queue.claim(10)
            #expect(second.prefix(4).contains("single") && second.prefix(4).contains("other"), "\(second)")
        }
    }

    @Test func aFloodDelaysNobodyOnSQLite() async throws { try await floods(.sqlite) }

    @Test(.needs(.postgres)) func aFloodDelaysNobodyOnPostgreSQL() async throws { try await floods(.postgres) }

    @Test func aFloodOnItsWayIntoTheLedgerDelaysNobody() async throws {
        try await with(.sqlite) { queue, one, two in
            for _ in 0..<3 {
                try await one.sync()
                try await two.sync()
            }
            // Ranks are out and told, and the ledger shows an empty queue still.
            let flood = queue.ranked(10_000, of: "flood", by: one)
            try await one.sync()
            try await two.sync()
            try await queue.create(flood)
            try await queue.add(1, of: "single", by: one)
            try await queue.add(1, of: "other", by: two)
            let first = try await queue.claim(10)
            #expect(first.prefix(5).contains("single") && first.prefix(5).contains("other"), "\(first)")
        }
    }

    @Test func anEmptyQueueForgivesAndForgets() async throws {
        try await with(.sqlite) { queue, one, two in
            try await queue.add(1000, of: "busy", by: one)
            _ = try await queue.claim(1000)
            for _ in 0..<2 {
                try await one.sync()
                try await two.sync()
            }
            // Were its past held against it, all of `rested` would come first; were it a credit, all of `busy`.
            try await queue.add(20, of: "busy", by: one)
            try await queue.add(20, of: "rested", by: two)
            let first = try await queue.claim(20).filter { $0 == "busy" }.count
            #expect((8...12).contains(first), "\(first) of the first 20 are of the one who was busy")
        }
    }

    @Test func aThirdProcessBeginsWhereTheOthersAre() async throws {
        try await with(.sqlite) { queue, one, _ in
            try await queue.add(2000, of: "early", by: one)
            _ = try await queue.claim(1000)
            try await one.sync()
            let late = FairRanking(ledger: queue.ledger, services: ["alpha"])
            try await late.sync()
            // A flood through it may not go before those who wait already.
            try await queue.add(2000, of: "flood", by: late)
            let first = try await queue.claim(100).filter { $0 == "early" }.count
            #expect((40...60).contains(first), "\(first) of 100 are of the one who waits")
        }
    }

    @Test func manyUsersTakeTurns() async throws {
        try await with(.sqlite) { queue, one, two in
            let users = (0..<50).map { "user\($0)" }
            for (number, user) in users.enumerated() {
                try await queue.add(number.isMultiple(of: 2) ? 5 : 50, of: user, by: number < 25 ? one : two)
            }
            let first = try await queue.claim(250)
            let counts = Dictionary(grouping: first) { $0 }.mapValues(\.count)
            #expect(users.allSatisfy { (4...6).contains(counts[$0] ?? 0) }, "\(counts)")
        }
    }

    @Test func prioritiesComeBeforeShares() async throws {
        try await with(.sqlite) { queue, one, _ in
            for priority in [-7, 0, 7] { try await queue.add(3, of: "\(priority)", priority: priority, by: one) }
            try await queue.add(3, of: "late", priority: 7, by: one)
            #expect(try await queue.claim(6).allSatisfy { $0 == "7" || $0 == "late" })
            #expect(try await queue.claim(6) == ["0", "0", "0", "-7", "-7", "-7"])
        }
    }

    @Test func weightsDivideAService() async throws {
        let path = try TestFile.write("users:\n  acme: {weight: 3}\n")
        defer { TestFile.remove(path) }
        let limits = try LimitsFile(path: path)
        try await TestLedger.sqlite { ledger in
            let queue = FairQueue(ledger: ledger)
            let ranking = FairRanking(ledger: ledger, limits: limits)
            try await queue.add(200, of: "shop/acme", by: ranking)
            try await queue.add(200, of: "shop/other", by: ranking)
            let first = try await queue.claim(100).filter { $0 == "shop/acme" }.count
            #expect((73...77).contains(first), "\(first) of 100 for a weight of 3 beside 1")
        }
    }

    @Test func aLedgerThatIsAwayCostsNothingButFairness() async throws {
        try await TestLedger.sqlite { ledger in
            let ranking = FairRanking(ledger: ledger, services: ["alpha"])
            let queue = FairQueue(ledger: ledger)
            try await queue.add(100, of: "flood", by: ranking)
            await ledger.close()
            await #expect(throws: LedgerError.self) { try await ranking.sync() }
            let ranks = (0..<3).map { _ in ranking.rank(service: "alpha", user: "single") }
            #expect(ranks == ranks.sorted() && Set(ranks).count == 3)
        }
    }
}
