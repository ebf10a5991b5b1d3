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

    /// Found by fuzzing: a deeper workflow was taken, but its stored form could not be read any more.
    @Test func whatIsTakenCanBeReadAgain() throws {
        func text(_ depth: Int) -> String {
            let data = String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
            return """
                app: x
                prefix: X
                methods:
                  m:
                    input: {type: object}
                    stages: {a: {service: alpha, input: {}}}
                    output: {type: META_DATA, data: {a: {$ref: "a#"}, b: \(data)}}
                """
        }
        let service = try DefinitionLoader.service(yaml: "{service: alpha, engine: native, handler: any}")
        for depth in [1, 40] {
            let app = try DefinitionLoader.app(yaml: text(depth), services: [service])
            let definition = try #require(app.methods["m"])
            #expect(try WorkflowDefinition(stored: definition.stored).hash == definition.hash)
        }
        for depth in [80, 600] {
            let error = #expect(throws: DefinitionsError.self) {
                try DefinitionLoader.app(yaml: text(depth), services: [service])
            }
            #expect(error?.problems.first?.message == "is nested deeper than 64")
        }
    }

    /// Each anchor is a list within a list of the one before, so that the parser's own limit never applies.
    @Test func anchorsCanNotNestWithoutEnd() {
        var text = "a0: &a0 [x]\n"
        for level in 1...100 { text += "a\(level): &a\(level) [*a\(level - 1)]\n" }
        let problem = #expect(throws: DefinitionProblem.self) { try SourceReader.read(text, file: "chain.yaml") }
        #expect(problem?.message == "is nested deeper than 64")
    }
}
