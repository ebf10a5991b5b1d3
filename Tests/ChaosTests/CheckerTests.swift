// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

@testable import MallaChaos

/// Keys of the small history by the kind of their task.
private let (chain, fan, refused, retried, hopeless) = ("k0", "k1", "k2", "k3", "k4")
private let (cancelled, late, gone, poison) = ("k5", "k6", "k7", "k8")

/// A history that breaks one rule.
struct SpoiltHistory: Sendable, CustomTestStringConvertible {
    let rule: Rule
    let what: String
    let spoil: @Sendable (inout History) -> Void

    init(_ rule: Rule, _ what: String, _ spoil: @escaping @Sendable (inout History) -> Void) {
        (self.rule, self.what, self.spoil) = (rule, what, spoil)
    }

    var testDescription: String { "\(rule.rawValue): \(what)" }
}

@Suite struct CheckerTests {
    @Test(arguments: [0, 1, 9, 90]) func rightHistoryPasses(count: Int) {
        #expect(Checker.contradictions(in: CheckerRightHistory.make(count)) == [])
    }

    @Test func tenThousandTasksTakeSeconds() {
        let history = CheckerRightHistory.make(10_000)
        let took = ContinuousClock().measure { #expect(Checker.contradictions(in: history) == []) }
        // A debug build on a busy machine; quadratic work would take minutes.
        #expect(took < .seconds(30))
    }

    @Test func oneTaskOfTenThousandItems() {
        var history = CheckerRightHistory.make(2)
        let items = 10_000
        let row = history.rows.jobs.first { $0["id"]?.string == "\(fan)-items0" } ?? .null
        history.rows.jobs += (3..<items).map { item in
            var copy = row
            copy[member: "id"] = .string("\(fan)-items\(item)")
            copy[member: "item"] = .number(JSONNumber(item))
            copy[member: "state"] = "cancelled"
            copy[member: "result"] = .null
            return copy
        }
        let took = ContinuousClock().measure {
            #expect(history.broken == [Rule.wholeFanOut.rawValue, Rule.countersAreRight.rawValue])
        }
        #expect(took < .seconds(20))
    }

    @Test(arguments: SpoiltHistory.all) func spoiltHistoryIsFound(spoilt: SpoiltHistory) {
        var history = CheckerRightHistory.make(9)
        spoilt.spoil(&history)
        let found = Checker.contradictions(in: history)
        #expect(found.contains { $0.rule == spoilt.rule.rawValue }, "\(found)")
    }

    @Test func everyRuleHasASpoiltHistory() {
        #expect(Set(SpoiltHistory.all.map(\.rule)) == Set(Rule.allCases))
    }

    @Test func findingsTellTimesFromTheStart() {
        var history = CheckerRightHistory.make(9)
        history.mapArrivals(chain) { $0.with(after: -1) }
        let found = Checker.contradictions(in: history)
        #expect(found.map(\.rule) == [Rule.callbackAfterEnd.rawValue])
        #expect(found.first?.finding == "callback c-k0 of +0.600 s, but task t-k0 (chain) is succeeded since +1.500 s")
        #expect(found.first?.subject == chain)
    }
}
