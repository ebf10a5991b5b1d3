// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import MallaChaos

@Suite struct FaultPlanTests {
    private func plans(_ seeds: Range<UInt64>, count: Int = 8, over: Double = 12) -> [FaultPlan] {
        seeds.map { FaultPlan(seed: $0, count: count, over: over, clockJumps: true) }
    }

    @Test func everyFaultHitsEveryTarget() {
        let keys = FaultKey.all(clockJumps: true)
        #expect(Set(keys).count == keys.count)
        #expect(Set(keys.map(\.description)).count == keys.count)
        #expect(keys.count == 3 * 4 + 1 + 4 * 3 + 3 + 14 * 3 + 3)
        #expect(FaultKey.all(clockJumps: false).count == keys.count - 3)
        for word in ["freeze worker", "cut app-api -> postgres", "kill rabbit", "half-open app-api -> receiver"] {
            #expect(keys.contains { $0.description == word }, "\(word)")
        }
        for key in keys { #expect(!key.targets.isEmpty, "\(key)") }
    }

    @Test func consecutiveSeedsCoverAllEvenly() {
        var tally: [FaultKey: Int] = [:]
        for plan in plans(1..<1001) {
            #expect(plan.faults.count == 8)
            for fault in plan.faults { tally[fault.key, default: 0] += 1 }
        }
        let counts = FaultKey.all(clockJumps: true).map { tally[$0, default: 0] }
        // 8,000 faults over 73 keys; a round that is cut at either end makes the difference.
        #expect(counts.min() ?? 0 >= 108)
        #expect(counts.max() ?? 0 <= 111)
    }

    @Test func everyInstanceIsHit() {
        let hit = Set(plans(0..<1000).flatMap { $0.faults.map(\.target) })
        #expect(hit.count == Role.allCases.count + Server.allCases.count + Link.all.count + 1)
    }

    @Test func aPlanFollowsFromItsSeed() {
        #expect(plans(0..<50) == plans(0..<50))
        let plan = FaultPlan(seed: 7, count: 5, over: 10, clockJumps: true)
        #expect(plan != FaultPlan(seed: 8, count: 5, over: 10, clockJumps: true))
        #expect(FaultPlan(seed: 7, count: 0, over: 10).faults.isEmpty)
        #expect(FaultPlan(seed: .max, count: 5, over: 0).faults.count == 5)
    }

    @Test func noTwoFaultsFightOverATarget() {
        // More faults in less time than there is room for: they come one after the other then.
        for plan in plans(0..<300) + plans(0..<50, count: 60, over: 3) {
            for (index, fault) in plan.faults.enumerated() where fault.kind != .gone {
                for other in plan.faults[(index + 1)...] where other.target == fault.target && other.kind != .gone {
                    #expect(other.at >= fault.at + fault.lasting, "seed \(plan.seed): \(fault) and \(other)")
                }
            }
        }
    }

    @Test func timesAreInTheRun() {
        for plan in plans(0..<300) {
            #expect(plan.faults.map(\.at) == plan.faults.map(\.at).sorted())
            for fault in plan.faults where fault.kind != .gone {
                #expect(fault.at >= 0.3)
                #expect(fault.key.duration.contains(fault.lasting))
                if fault.key.description == "freeze worker" { #expect(fault.lasting >= 7) }
            }
            let late = plan.faults.filter { $0.at > 12 }
            #expect(late.count <= 2, "seed \(plan.seed): \(late)")
        }
    }
}
