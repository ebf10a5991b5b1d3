// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import MallaChaos

@Suite struct SoakTrendTests {
    private func trend(_ count: Int, memory: (Int) -> Double, files: (Int) -> Int = { _ in 100 }) -> SoakTrend {
        SoakTrend(
            (0..<count).map { minute in
                SoakMinute(
                    minute: minute + 1,
                    memory: ["app-api": memory(minute), "worker": 50],
                    descriptors: files(minute),
                    processes: 20,
                    tasks: 0,
                    openJobs: 0,
                    keys: 0,
                    record: RunRecord(
                        seed: 1,
                        took: 1,
                        verdicts: [:],
                        counts: [:],
                        faults: [:],
                        measured: [:],
                        contradictions: []
                    )
                )
            }
        )
    }

    @Test func theFirstQuarterDoesNotCount() {
        let warming = trend(60, memory: { min(40 + Double($0) * 4, 100) })
        #expect(warming.grown == [])
        #expect(warming.sentence == "Memory and files are flat over the last three quarters of 60 minutes.")
    }

    @Test func steadyGrowthIsFound() {
        let leak = trend(60, memory: { 100 + Double($0) })
        #expect(leak.grown == ["memory of app-api: from 115.0 to 159.0 MiB"])
        #expect(leak.sentence.hasPrefix("Not flat over the last three quarters: memory of app-api"))
        let files = trend(60, memory: { _ in 100 }, files: { 100 + $0 })
        #expect(files.grown == ["files: from 115.0 to 159.0"])
    }

    @Test func bothBoundsMustBePassed() {
        // 12 MiB of 1,000 are noise, and so are 6 of 20.
        #expect(trend(60, memory: { 1000 + Double($0) * 12 / 44 }).grown == [])
        #expect(trend(60, memory: { 20 + Double($0) * 6 / 44 }).grown == [])
        #expect(trend(60, memory: { 20 + Double($0) * 9 / 44 }).grown.count == 1)
        #expect(trend(60, memory: { 200 - Double($0) }).grown == [])
        #expect(trend(60, memory: { $0 == 59 ? 140 : 100 }).grown == [], "one high minute is no trend")
    }

    @Test(arguments: [0, 1, 7])
    func aShortSoakIsNotJudged(count: Int) {
        let short = trend(count, memory: { Double($0) * 100 })
        #expect(short.grown == [] && short.sentence.contains("too few"))
        #expect(trend(8, memory: { Double($0) * 100 }).grown.count == 1)
    }
}
