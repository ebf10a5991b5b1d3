// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Plumbing
import Testing

@testable import Explain

/// Forecasts are held against queues that are then really played out with other draws of the same run times.
@Suite struct WaitForecastTests {
    @Test func ofHundredsOfQueuesHalfWaitLessThanTheMedianAndNineInTenLessThanP90() throws {
        var generator = SeededGenerator(seed: 7)
        var (underP50, underP90) = (0, 0)
        let queues = 300
        for _ in 0..<queues {
            let slots = Int.random(in: 1...8, using: &generator)
            let ahead = Int.random(in: 0...120, using: &generator)
            let history = (0..<200).map { _ in Self.runTime(&generator) }
            // Whoever looks finds long jobs running more often than short ones, each at some moment of its run.
            let running = (0..<slots).map { _ in
                var run = Self.runTime(&generator)
                while Double.random(in: 0..<15, using: &generator) > run { run = Self.runTime(&generator) }
                return (age: run * Double.random(in: 0..<1, using: &generator), run: run)
            }
            let forecast = try #require(
                WaitForecast(
                    ahead: ahead,
                    slots: slots,
                    ages: running.map { .seconds($0.age) },
                    runs: history.map { .seconds($0) },
                    using: &generator
                )
            )
            let wait = Self.play(ahead: ahead, free: running.map { $0.run - $0.age }, &generator)
            if wait <= forecast.p50.inSeconds { underP50 += 1 }
            if wait <= forecast.p90.inSeconds { underP90 += 1 }
        }
        #expect((0.36...0.64).contains(Double(underP50) / Double(queues)), "\(underP50) of \(queues)")
        #expect((0.81...0.98).contains(Double(underP90) / Double(queues)), "\(underP90) of \(queues)")
    }

    @Test func aFreeSlotMeansNoWaitAndNobodyMeansNoForecast() throws {
        var generator = SeededGenerator(seed: 1)
        let free = try #require(
            WaitForecast(ahead: 0, slots: 2, ages: [.seconds(3)], runs: [.seconds(5)], using: &generator)
        )
        #expect(free.p90 == .zero)
        #expect(WaitForecast(ahead: 3, slots: 0, ages: [], runs: [.seconds(5)], using: &generator) == nil)
        #expect(WaitForecast(ahead: 3, slots: 2, ages: [], runs: [], using: &generator) == nil)
    }

    @Test func longQueuesAreForeseenByNumbersInTheSameWay() throws {
        var generator = SeededGenerator(seed: 3)
        let runs = (0..<300).map { _ in Duration.seconds(Self.runTime(&generator)) }
        func forecast(_ ahead: Int) throws -> WaitForecast {
            try #require(WaitForecast(ahead: ahead, slots: 4, ages: [], runs: runs, using: &generator))
        }
        let (played, counted) = (try forecast(2000), try forecast(2001))
        #expect(abs(played.p50.inSeconds / counted.p50.inSeconds - 1) < 0.05)
        #expect(abs(played.p90.inSeconds / counted.p90.inSeconds - 1) < 0.05)
        #expect(try forecast(1_000_000).p50 > .seconds(1000))
    }

    @Test func jobsThatRunLongerThanAnyBeforeAreNotExpectedAtOnce() throws {
        var generator = SeededGenerator(seed: 4)
        let forecast = try #require(
            WaitForecast(ahead: 0, slots: 1, ages: [.seconds(100)], runs: [.seconds(1)], using: &generator)
        )
        #expect(forecast.p50 == .seconds(50))
    }

    /// Most are short, some ten times as long.
    private static func runTime(_ generator: inout SeededGenerator) -> Double {
        let isLong = Int.random(in: 0..<5, using: &generator) == 0
        return Double.random(in: 0.5..<1.5, using: &generator) * (isLong ? 10 : 1)
    }

    private static func play(ahead: Int, free: [Double], _ generator: inout SeededGenerator) -> Double {
        var free = free
        for _ in 0..<ahead {
            let next = free.indices.min { free[$0] < free[$1] } ?? 0
            free[next] += runTime(&generator)
        }
        return free.min() ?? 0
    }
}
