// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

@Suite struct ReferenceTests {
    /// RFC 6901, section 5.
    @Test(arguments: [
        ("", #"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#),
        ("/foo", #"["bar","baz"]"#), ("/foo/0", #""bar""#), ("/", "0"), ("/a~1b", "1"), ("/c%d", "2"), ("/e^f", "3"),
        ("/g|h", "4"), ("/i\\j", "5"), ("/k\"l", "6"), ("/ ", "7"), ("/m~0n", "8"),
    ])
    func vectors(_ pointer: String, _ expected: String) throws {
        let document = try JSON(
            parsing: #"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#
        )
        let reference = try Reference(parsing: "request#" + pointer)
        #expect(reference.resolve(in: document) == (try JSON(parsing: expected)))
        #expect(reference.description == "request#" + pointer)
    }

    @Test(arguments: [
        "/foo/2", "/foo/00", "/foo/-", "/foo/-1", "/foo/x", "/foo/0/x", "/nothing", "/foo/99999999999999999999",
    ])
    func findsNothing(_ pointer: String) throws {
        let document: JSON = ["foo": ["bar", "baz"]]
        #expect(try Reference(parsing: "request#" + pointer).resolve(in: document) == nil)
    }

    @Test(arguments: [
        "detect", "", "#/a", "detect#a", "detect#/~2", "detect#/~", "Big#/a", "a b#", "x!error#", "!errors#",
    ])
    func refuses(_ text: String) {
        #expect(throws: ReferenceError.self) { try Reference(parsing: text) }
    }

    @Test func knowsRoots() throws {
        #expect(try Reference(parsing: "detect#/faces/0") == Reference(root: .stage("detect"), tokens: ["faces", "0"]))
        #expect(try Reference(parsing: "embed!errors#/0") == Reference(root: .errors("embed"), tokens: ["0"]))
        #expect(try Reference(parsing: "item#").root == .item)
        #expect(try Reference(parsing: "index#").root == .index)
    }

    private func lookup(_ root: Reference.Root) throws(ReferenceError) -> JSON? {
        switch root {
        case .request: ["a": [1, 2], "n": nil, "empty": "", "zero": 0]
        case .stage("skipped"): .null
        case .item: 7
        default: nil
        }
    }

    @Test func renders() throws {
        let template = try Template([
            "whole": ["$ref": "request#/a"], "list": [["$ref": "item#"], 3], "plain": ["x": 1],
            "quoted": ["$literal": ["$ref": "not one"]], "skipped": ["$ref": "skipped#/faces/0"],
        ])
        #expect(
            try template.render(lookup) == [
                "whole": [1, 2], "list": [7, 3], "plain": ["x": 1], "quoted": ["$ref": "not one"], "skipped": nil,
            ]
        )
        #expect(template.references.map(\.description) == ["request#/a", "item#", "skipped#/faces/0"])
        #expect(try Template(["$ref": "request#/a"]).render(lookup) == [1, 2])
        #expect(try Template(template.json) == template)
        #expect(try Template([["$literal": ["$literal": 1]]]).render(lookup) == [["$literal": 1]])
    }

    @Test func saysWhatFoundNothing() throws {
        let template = try Template(["a": [["$ref": "request#/b"]]])
        #expect(throws: ReferenceError(reference: "request#/b", reason: "finds nothing: there is no such value")) {
            try template.render(lookup)
        }
        #expect(throws: ReferenceError.self) { try Template(["$ref": "request#", "more": 1]) }
        #expect(throws: ReferenceError.self) { try Template(["$ref": 1]) }
    }

    @Test(
        arguments: [
            (["$ref": "request#/a"], true), (["$ref": "request#/n"], false), (["$ref": "request#/empty"], false),
            (["$ref": "request#/zero"], false), (["$ref": "request#/none"], false), (["$ref": "skipped#"], false),
            (["$ref": "request#/a/0", "equals": 1], true), (["$ref": "request#/a/0", "equals": 1.0], true),
            (["$ref": "request#/none", "equals": nil], false), (["$ref": "request#/none", "not_equals": 1], true),
            (["$ref": "request#/a", "not_equals": [1, 2]], false), (["$ref": "request#/n", "exists": true], true),
            (["$ref": "request#/none", "exists": false], true), (["$ref": "skipped#/x", "exists": true], false),
            (["$ref": "skipped#/x", "equals": nil], true),
        ] as [(JSON, Bool)]
    )
    func judges(_ json: JSON, _ expected: Bool) throws {
        let condition = try Condition(json)
        #expect(try condition.holds(lookup) == expected)
        #expect(try Condition(condition.json) == condition)
    }

    @Test(
        arguments: [
            "request#/a", ["$ref": "x"], ["$ref": "a#", "equal": 1], ["$ref": "a#", "equals": 1, "exists": true],
            ["$ref": "a#", "exists": 1], [:],
        ] as [JSON]
    )
    func refusesConditions(_ json: JSON) {
        #expect(throws: ReferenceError.self) { try Condition(json) }
    }
}
