// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing

@testable import AppAPI

/// Workflows that have only the App APIs in common.
extension QueuePaceTests {
    /// Workflows whose jobs cost nothing: all wait in one line to be settled.
    private struct Line {
        /// The stages of each workflow.
        let stages: [Int]
        let rate: Double

        var asked: [Int]
        var taken: [Int]
        var ended: [Int]
        /// When a task of a workflow was refused last.
        var lastRefusal: [Double]
        var most = 0.0

        init(stages: [Int], rate: Double) {
            (self.stages, self.rate) = (stages, rate)
            asked = stages.map { _ in 0 }
            (taken, ended, lastRefusal) = (asked, asked, stages.map { _ in 0 })
        }

        /// - Parameters:
        ///   - stops: when nothing is settled.
        ///   - calls: how many calls of each workflow come in the 10 ms from a moment.
        mutating func run(_ seconds: Int, stops: Range<Double> = 0..<0, calls: (Int, Double) -> Int) {
            let start = ContinuousClock.now
            let services = stages.enumerated().map { index, count in (0..<count).map { "s\(index).\($0)" } }
            let workflows = Dictionary(uniqueKeysWithValues: services.enumerated().map { ("w\($0)", $1) })
            var pace = QueuePace(patience: .seconds(5))
            var line: [(workflow: Int, stage: Int)] = []
            var (head, budget, readAt) = (0, 0.0, 0.0)
            var created = stages.map { [Int](repeating: 0, count: $0) }
            var open = created
            for tick in 0..<seconds * 100 {
                let (time, now) = (Double(tick) / 100, start + .milliseconds(10 * tick))
                budget = stops.contains(time) ? 0 : min(budget + rate / 100, rate / 20 + 1)
                for _ in 0..<min(line.count - head, Int(budget)) {
                    let (workflow, stage) = line[head]
                    (head, budget) = (head + 1, budget - 1)
                    open[workflow][stage] -= 1
                    if stage + 1 < stages[workflow] {
                        line.append((workflow, stage + 1))
                        open[workflow][stage + 1] += 1
                        created[workflow][stage + 1] += 1
                    } else {
                        ended[workflow] += 1
                        pace.end("w\(workflow)", 1)
                    }
                }
                for workflow in stages.indices {
                    for number in 0..<calls(workflow, time) {
                        asked[workflow] += 1
                        let user = "\(workflow).\((tick + number) % 10)"
                        guard
                            pace.decide(workflow: "w\(workflow)", services: services[workflow], user: user, at: now)
                                == .taken
                        else {
                            lastRefusal[workflow] = time
                            continue
                        }
                        taken[workflow] += 1
                        line.append((workflow, 0))
                        open[workflow][0] += 1
                        created[workflow][0] += 1
                    }
                }
                most = max(most, Double(line.count - head) / rate)
                guard time - readAt >= (pace.isPressed ? 0.499 : 0.999) else { continue }
                for (workflow, names) in services.enumerated() {
                    for (stage, name) in names.enumerated() {
                        let fresh = created[workflow][stage]
                        pace.learn(name, waiting: 0, running: open[workflow][stage], created: fresh, at: now)
                        created[workflow][stage] = 0
                    }
                }
                pace.learn(completions: line.count - head, at: now)
                _ = pace.judge(workflows, at: now)
                readAt = time
            }
        }
    }

    private static func calls(_ rate: Double, _ time: Double) -> Int {
        Int((time + 0.01) * rate + 1e-6) - Int(time * rate + 1e-6)
    }

    @Test(arguments: [(1, 3), (3, 1), (1, 10), (2, 2)])
    func aWorkflowThatAsksForLittleIsServedBesideAFloodOfAnother(flood: Int, other: Int) {
        var line = Line(stages: [flood, other], rate: 1200)
        line.run(60) { workflow, time in Self.calls(workflow == 0 ? (time < 5 ? 50 : 4000) : 5, time) }
        // While all slow down in the flood's first seconds, some are refused.
        #expect(line.taken[1] * 100 >= line.asked[1] * 80, "\(line.taken) of \(line.asked)")
        #expect(line.lastRefusal[1] < 20, "\(line.lastRefusal[1])")
        #expect(
            line.ended.enumerated().reduce(0) { $0 + $1.element * line.stages[$1.offset] } > 1200 * 50,
            "\(line.ended)"
        )
    }

    @Test(arguments: [(1, 1), (1, 3), (3, 1), (2, 10)])
    func whatIsTakenIsSharedAmongTheWorkflowsOfAFlood(one: Int, other: Int) {
        var line = Line(stages: [one, other], rate: 1200)
        line.run(90) { workflow, time in Self.calls(workflow == 0 || time > 10 ? 2000 : 1, time) }
        let (before, after) = (line.ended[0], line.ended[1])
        #expect(Double(after) > Double(before) / 6, "\(line.ended) of \(line.taken)")
    }

    /// Tasks of one job each: a quick service's workflow, and a slow one's that is flooded.
    @Test func aSlowServiceIsBrakedBesideAQuickOne() {
        let start = ContinuousClock.now
        var pace = QueuePace(patience: .seconds(5))
        let services = ["quick": ["a"], "slow": ["b"]]
        let rates = ["quick": 1000.0, "slow": 30]
        var (open, created) = (["quick": 0.0, "slow": 0], ["quick": 0, "slow": 0])
        var most = 0.0
        for tick in 0..<30_000 {
            let (time, now) = (Double(tick) / 100, start + .milliseconds(10 * tick))
            for (workflow, rate) in rates {
                let done = min(open[workflow]!, rate / 100)
                let before = open[workflow]!
                open[workflow]! -= done
                pace.end(workflow, Int(before) - Int(open[workflow]!))
                for number in 0..<Self.calls(workflow == "quick" ? 1100 : 300, time) {
                    let user = "\(number).\(tick % 10)"
                    guard pace.decide(workflow: workflow, services: services[workflow]!, user: user, at: now) == .taken
                    else { continue }
                    open[workflow]! += 1
                    created[workflow]! += 1
                }
            }
            most = max(most, open["slow"]! / 30)
            guard tick.isMultiple(of: 100) else { continue }
            for (workflow, names) in services {
                pace.learn(names[0], waiting: Int(open[workflow]!), running: 0, created: created[workflow]!, at: now)
                created[workflow] = 0
            }
            _ = pace.judge(services, at: now)
        }
        #expect(most < 60, "\(most) s")
        #expect(open["slow"]! / 30 < 20, "\(open)")
    }

    @Test func aWorkflowThatNobodyAskedForIsNotRationed() {
        var line = Line(stages: [1, 1], rate: 1200)
        line.run(40) { workflow, time in workflow == 0 ? Self.calls(4000, time) : time == 30 ? 30 : 0 }
        #expect(line.taken[1] == line.asked[1] && line.asked[1] == 30)
    }

    @Test func whereNothingMovedForAWhileAllIsTakenSoonAfterwards() {
        var line = Line(stages: [3], rate: 1200)
        line.run(60, stops: 20..<32) { _, time in Self.calls(300, time) }
        #expect(line.lastRefusal[0] < 42, "\(line.lastRefusal[0])")
        #expect(line.ended[0] > 300 * 45, "\(line.ended[0]) of \(line.asked[0])")
    }
}
