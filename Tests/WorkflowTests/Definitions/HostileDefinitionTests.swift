// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

/// Definitions that would fill a machine.
@Suite(.timeLimit(.minutes(1)))
struct HostileDefinitionTests {
    /// Nine anchors of nine aliases each stand for 387 million values.
    @Test func aFewAnchorsCanNotNameMoreThanAMachineHolds() {
        var text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        for level in 1...9 {
            let names = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ",")
            text += "a\(level): &a\(level) [\(names)]\n"
        }
        let problem = #expect(throws: DefinitionProblem.self) { try SourceReader.read(text, file: "bomb.yaml") }
        #expect(problem?.message.contains("1000000") == true)
    }

    @Test(arguments: ["[", "{a: ", "- "])
    func depthIsRefused(opening: String) {
        #expect(throws: DefinitionProblem.self) {
            try SourceReader.read(String(repeating: opening, count: 100_000), file: "deep.yaml")
        }
    }
}
