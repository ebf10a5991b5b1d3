// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

@Suite struct EnvironmentTextTests {
    static let environment = ["A": "1", "EMPTY": "", "BLANK": " ", "URL": "http://h:1", "B_2": "${A}"]

    @Test(arguments: [
        ("plain", "plain"), ("", ""), ("${A}", "1"), ("${A}${A}", "11"), ("x${A}y", "x1y"), ("${NONE}", ""),
        ("${NONE:-d}", "d"), ("${A:-d}", "1"), ("${EMPTY:-d}", "d"), ("${BLANK:-d}", "d"), ("${NONE:-}", ""),
        ("${NONE:-${A}}", "1"), ("${NONE:-${ALSO:-${LAST:-z}}}", "z"), ("${NONE:-a-${A}-b}c", "a-1-bc"),
        ("${URL}/v1", "http://h:1/v1"), ("${NONE:-qwen2.5-14b}", "qwen2.5-14b"), ("${NONE:-a:b/c}", "a:b/c"),
        // A value is a value: it is not looked into.
        ("${B_2}", "${A}"), ("$A", "$A"), ("$$", "$$"), ("a$", "a$"), ("}{", "}{"),
    ])
    func expands(_ text: String, _ expected: String) throws {
        let parsed = try #require(EnvironmentText(text))
        #expect(parsed.expanded(in: Self.environment) == expected)
    }

    @Test(arguments: ["${", "${A", "${}", "${1A}", "${A:d}", "${A:-", "${A:-${B}", "${A B}", "x${-}", "${Ä}"])
    func refuses(_ text: String) {
        #expect(EnvironmentText(text) == nil)
        #expect(EnvironmentText.expand(text, in: Self.environment) == text)
    }

    @Test func namesItsVariables() {
        #expect(EnvironmentText("${A:-${B:-${C}}}/${D}")?.variables == ["A", "B", "C", "D"])
        #expect(EnvironmentText("none")?.variables == [])
    }

    @Test func expandsWithinJSON() {
        let json: JSON = ["a": ["${A}", 1, true, .null], "${A}": ["b": "${NONE:-x}"]]
        #expect(json.expanded(in: Self.environment) == ["a": ["1", 1, true, .null], "${A}": ["b": "x"]])
    }
}
