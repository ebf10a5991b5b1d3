// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Plumbing
import Testing

@testable import Workflow

@Suite struct InputSizeTests {
    private func end(items: Int, size: Int) -> RunResult? {
        let definition = WorkflowDefinition.make(
            [
                StageDefinition(
                    name: "each",
                    service: "s",
                    input: .make(["text": ["$ref": "request#/text"]]),
                    forEach: .range(.make(["$ref": "request#/n"]))
                )
            ],
            output: ["ok": true]
        )
        let payload: JSON = [
            "n": .number(JSONNumber(items)), "text": .string(String(repeating: "x", count: size)),
        ]
        var generator = SeededGenerator(seed: 1)
        var harness = EngineHarness(definition, payload: payload) { _, _, _ in .success(.null) }
        harness.finishAll(using: &generator)
        return harness.results.first
    }

    @Test func aFanOutThatCopiesTooMuchFailsAndNamesItsStage() {
        guard case .failed(let error, let stage)? = end(items: 65, size: 1 << 20) else {
            Issue.record("the run did not fail")
            return
        }
        #expect(error.category == .invalidInput && error.isFinal && stage == "each")
        #expect(error.message.contains("'each'") && error.message.contains("media references"))
    }

    @Test func oneInputCountsAsWell() {
        guard case .failed(let error, _)? = end(items: 1, size: 65 << 20) else {
            Issue.record("the run did not fail")
            return
        }
        #expect(error.category == .invalidInput)
    }

    @Test func whatFitsRuns() {
        #expect(end(items: 63, size: 1 << 20) == .succeeded(Array(#"{"ok":true}"#.utf8)))
    }
}
