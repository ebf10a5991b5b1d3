// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Plumbing
import Testing

@testable import Workflow

/// Random graphs of stages, random failures, random orders: a run always ends exactly once, the same way.
@Suite struct RandomWorkflowTests {
    private func randomWorkflow(_ generator: inout SeededGenerator) -> WorkflowDefinition {
        let count = Int.random(in: 1...7, using: &generator)
        var stages: [StageDefinition] = []
        for index in 0..<count {
            let dependencies = (0..<index).filter { _ in Int.random(in: 0..<3, using: &generator) == 0 }
            var members: [(String, JSON)] = [("request", ["$ref": "request#"])]
            for dependency in dependencies { members.append(("s\(dependency)", ["$ref": .string("s\(dependency)#")])) }
            var stage = StageDefinition(
                name: "s\(index)",
                service: "s",
                input: .make(.object(JSONObject(members))),
                dependencies: dependencies
            )
            if Bool.random(using: &generator) {
                let size = [0, 1, 2, 7].randomElement(using: &generator) ?? 1
                stage.forEach = .range(.make(.number(JSONNumber(size))))
                stage.join = [.all, .atLeast(size / 2)].randomElement(using: &generator) ?? .all
            }
            if let first = dependencies.first, Int.random(in: 0..<4, using: &generator) == 0 {
                stage.when = Condition(
                    reference: Reference(root: .stage("s\(first)"), tokens: []),
                    test: .exists(Bool.random(using: &generator))
                )
            }
            stages.append(stage)
        }
        let output = JSONObject(stages.map { ($0.name, ["$ref": .string($0.name + "#")]) })
        return .make(stages, output: .object(output))
    }

    @Test(arguments: 0..<150) func everyOrderEndsOnceAndAlike(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let definition = randomWorkflow(&generator)
        let failing = UInt64.random(in: 0...3, using: &generator)
        let handler: EngineHarness.Handler = { stage, item, input in
            let mark = UInt64(stage &* 31 &+ (item ?? 7) &* 17 &+ seed)
            let fails = failing > 0 && SeededGenerator.mixed(mark) % 12 < failing
            return fails
                ? .failure(JobError(.handler, "no")) : .success(["in": input, "at": .number(JSONNumber(stage))])
        }
        var ends: Set<String> = []
        for order in UInt64(0)..<6 {
            var orders = SeededGenerator(seed: order &+ 1000)
            var harness = EngineHarness(definition, payload: ["p": 1], handler: handler)
            harness.finishAll(using: &orders, batch: Int(order % 3) + 1)
            #expect(harness.results.count == 1, "seed \(seed)")
            #expect(harness.run.state != .running)
            #expect(try Run(encoded: harness.run.encoded) == harness.run)
            switch harness.results.first {
            case .succeeded(let bytes): ends.insert(String(decoding: bytes, as: UTF8.self))
            case .failed: ends.insert("failed")
            default: ends.insert("other")
            }
        }
        #expect(ends.count == 1, "seed \(seed) ended differently: \(ends)")
    }
}

extension SeededGenerator {
    static func mixed(_ value: UInt64) -> UInt64 {
        var generator = SeededGenerator(seed: value)
        return generator.next()
    }
}
