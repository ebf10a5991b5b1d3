// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing
import Workflow

/// Values at the ends of their ranges, most of them found by fuzzing.
@Suite struct OddValueTests {
    @Test func anEndlessMinLengthIsAViolationOnly() throws {
        let schema = try JSONSchema(["minLength": .number(JSONNumber(Int.max))])
        #expect(schema.validate("abc").map(\.message) == ["has 3 characters; it must have at least \(Int.max)"])
        #expect(schema.validate(1).isEmpty)
        let four = try JSONSchema(["minLength": 4])
        #expect(four.validate("éééé").isEmpty && four.validate("😀😀😀😀").isEmpty)
        #expect(!four.validate("😀😀😀").isEmpty)
    }

    @Test(arguments: [Int.max, Int.min])
    func endlessTimesAreTheLongestThereAre(_ milliseconds: Int) {
        let number = JSON.number(JSONNumber(milliseconds))
        let id = "0199a0b2-1d2a-7c57-9c1e-0f4a2f3f9c11"
        let labels = JobLabels(json: ["ttl_ms": number])
        #expect(labels.json["ttl_ms"]?.int == (milliseconds > 0 ? Int.max : Int.min) / 1000)
        #expect(JobLabels(json: labels.json) == labels)
        let refusal = HandOver.Refusal(json: ["job": .string(id), "retry_after_ms": number])
        #expect(refusal?.json["retry_after_ms"]?.int == (milliseconds > 0 ? Int.max : Int.min) / 1000)
        #expect(refusal.flatMap { HandOver.Refusal(json: $0.json) } == refusal)
    }

    /// RFC 8259, 8.3: names are compared by their code units, though Swift's strings are equal here.
    @Test(arguments: [0, 20])
    func namesAreComparedByTheirBytes(_ others: Int) throws {
        let (one, two) = ("\u{E9}", "e\u{301}")
        #expect(one == two)
        let filling = (0..<others).map { #","k\#($0)":0"# }.joined()
        let text = #"{"\#(one)":1,"\#(two)":2\#(filling)}"#
        let json = try JSON(parsing: text)
        #expect(Array(json.bytes) == Array(text.utf8))
        #expect(json[one]?.int == 1 && json[two]?.int == 2)
        let again = try JSON(parsing: json.bytes)
        #expect(again == json && again.hashValue == json.hashValue)
        var object = try #require(json.object)
        object[one] = nil
        #expect(object[one] == nil && object[two]?.int == 2 && object.count == others + 1)
    }

    @Test func schemasCompareTextsByTheirBytes() throws {
        let (one, two) = ("\u{E9}", "e\u{301}")
        let both = try JSONSchema([
            "properties": [one: ["type": "string"], two: ["type": "number"]],
            "dependentRequired": [one: ["a"], two: []],
        ])
        #expect(both.validate([one: "x", two: 1, "a": 1]).isEmpty)
        #expect(both.validate([one: 1, "a": 1]).map(\.path) == ["/" + one])
        #expect(both.validate([one: "x"]).map(\.path) == ["/a"])
        #expect(both.validate([two: 1]).isEmpty)
        let closed = try JSONSchema(["properties": [one: true], "additionalProperties": false])
        #expect(closed.validate([one: 1]).isEmpty && !closed.validate([two: 1]).isEmpty)
        let constant = try JSONSchema(["const": .string(one)])
        #expect(constant.validate(.string(one)).isEmpty && !constant.validate(.string(two)).isEmpty)
        let unique = try JSONSchema(["uniqueItems": true])
        #expect(unique.validate([.string(one), .string(two)]).isEmpty)
        #expect(!unique.validate([.string(one), .string(one)]).isEmpty)
    }

    @Test func storedStagesOfOneNameAreRefused() {
        let stage = """
            {"name":"a","service":"s","input":{},"join":"all","dependencies":[],"max_attempts":1,
            "backoff":{"base_us":1,"cap_us":1,"jitter":0},"timeout_us":1}
            """
        let text = """
            {"app":"a","method":"m","description":"","deadline_us":1,"stages":[\(stage),\(stage)],
            "output":{"type":"META_DATA","data":{}}}
            """
        #expect(throws: StoredDefinitionError.self) { try WorkflowDefinition(stored: Array(text.utf8)) }
    }
}
