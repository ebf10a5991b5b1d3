// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Plumbing
import Testing

@testable import Workflow

@Suite struct CompletionTests {
    @Test func everyCompletionSurvivesTheWire() throws {
        for seed in 0..<500 {
            var generator = SeededGenerator(seed: UInt64(seed))
            let completion = Self.completion(using: &generator)
            #expect(try Completion(body: completion.body) == completion, "seed \(seed)")
        }
    }

    @Test(arguments: [#""resultMedia":7"#, #""resultMedia":"s3://a/b""#, #""resultMedia":"s3://a/b","resultSize":-1"#])
    func aPlaceThatCannotBeReadIsNoCompletion(_ members: String) {
        let body = #"{"job":"\#(MeshID())","lease":"\#(MeshID())",\#(members)}"# + "\n"
        #expect(throws: EnvelopeError.self) { try Completion(body: Array(body.utf8)) }
    }

    /// Found by fuzzing: what was read was not what had been written.
    @Test(arguments: ["{}", "[]", "7", #"{"gpu_ms":"x"}"#, #"{"cost_usd":1e400}"#, #"{"cost_usd":-1e400}"#])
    func aUsageThatTellsNothingIsNone(_ usage: String) throws {
        let body = #"{"job":"\#(MeshID())","lease":"\#(MeshID())","ms":1,"usage":\#(usage)}"# + "\n7"
        let completion = try Completion(body: Array(body.utf8))
        #expect(completion.usage == nil)
        #expect(try Completion(body: completion.body) == completion)
    }

    private static func completion(using generator: inout SeededGenerator) -> Completion {
        let kind = Int.random(in: 0..<3, using: &generator)
        let error = JobError(
            JobError.Category.allCases.randomElement(using: &generator) ?? .handler,
            text(using: &generator),
            isFinal: Bool.random(using: &generator),
            field: Bool.random(using: &generator) ? text(using: &generator) : nil
        )
        let bytes = (0..<Int.random(in: 0...64, using: &generator)).map { _ in
            UInt8.random(in: 0...255, using: &generator)
        }
        return Completion(
            job: MeshID(),
            lease: MeshID(),
            failure: kind == 0 ? .init(error, handlerDied: Bool.random(using: &generator)) : nil,
            result: kind == 1 ? bytes : [],
            storedResult: kind == 2
                ? .init(
                    reference: "s3://media/" + text(using: &generator),
                    size: Int.random(in: 0...Completion.maxResultSize, using: &generator)
                ) : nil,
            runMilliseconds: Int.random(in: 0...1_000_000, using: &generator)
        )
    }

    private static func text(using generator: inout SeededGenerator) -> String {
        let characters: [Character] = ["a", "\n", "\"", "\\", "\u{0}", "é", "\u{1F600}", "/", "\u{2028}", "{"]
        return String(
            (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                characters.randomElement(using: &generator) ?? "a"
            }
        )
    }
}
