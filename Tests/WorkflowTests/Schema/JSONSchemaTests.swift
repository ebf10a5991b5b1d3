// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

@Suite struct JSONSchemaTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var schema: String
        var right: [String]
        var wrong: [String]
        var testDescription: String { schema }

        init(_ schema: String, right: [String], wrong: [String]) {
            self.schema = schema
            self.right = right
            self.wrong = wrong
        }
    }

    static let cases: [Case] = [
        Case("true", right: ["1", "null"], wrong: []),
        Case("false", right: [], wrong: ["1", "null"]),
        Case("{}", right: ["1", "{}"], wrong: []),
        Case(#"{"type":"integer"}"#, right: ["1", "1.0", "1e2"], wrong: ["1.5", #""1""#, "true"]),
        Case(#"{"type":"number"}"#, right: ["1", "1.5"], wrong: [#""1""#, "null"]),
        Case(#"{"type":["string","null"]}"#, right: [#""a""#, "null"], wrong: ["1", "[]"]),
        Case(#"{"type":"boolean"}"#, right: ["true"], wrong: ["0"]),
        Case(#"{"enum":["a",1,null]}"#, right: [#""a""#, "1.0", "null"], wrong: [#""b""#, "2"]),
        Case(#"{"const":{"a":[1]}}"#, right: [#"{"a":[1.0]}"#], wrong: [#"{"a":[2]}"#, "1"]),
        Case(#"{"minimum":1,"maximum":3}"#, right: ["1", "3", #""x""#], wrong: ["0.9", "3.1"]),
        Case(#"{"exclusiveMinimum":1,"exclusiveMaximum":3}"#, right: ["2", "1.1"], wrong: ["1", "3"]),
        Case(#"{"multipleOf":3}"#, right: ["9", "0", "-3"], wrong: ["10", "1.5"]),
        Case(#"{"multipleOf":0.1}"#, right: ["0.3", "1"], wrong: ["0.35"]),
        Case(
            #"{"minLength":2,"maxLength":3}"#,
            right: [#""ab""#, #""😀😀😀""#, "1"],
            wrong: [#""a""#, #""😀""#, #""abcd""#]
        ),
        Case(#"{"pattern":"^[a-z]+\\d$"}"#, right: [#""ab1""#], wrong: [#""1ab""#, #""AB1""#, #""ab1x""#]),
        Case(#"{"pattern":"b"}"#, right: [#""abc""#], wrong: [#""ac""#]),
        Case(#"{"format":"uuid"}"#, right: [#""6b1e5f0c-1d2a-4c57-9c1e-0f4a2f3f9c11""#], wrong: [#""6b1e5f0c""#]),
        Case(
            #"{"format":"uri"}"#,
            right: [#""https://a.b/c?d#e""#, #""urn:x:y""#],
            wrong: [#""/a""#, #""a b:c""#, #""http:""#]
        ),
        Case(#"{"format":"email"}"#, right: [#""a@b.c""#], wrong: [#""a""#, #""@b""#, #""a@""#, #""a b@c""#]),
        Case(
            #"{"format":"date-time"}"#,
            right: [#""2026-11-21T09:30:00Z""#, #""2024-02-29t00:00:00.123+05:30""#],
            wrong: [
                #""2026-11-21""#, #""2026-02-29T00:00:00Z""#, #""2026-11-21T24:00:00Z""#, #""2026-11-21T09:30:00""#,
                #""2026-11-21T09:30:00.Z""#, #""2026-11-21T09:30:00+5:30""#,
            ]
        ),
        Case(#"{"format":"date"}"#, right: [#""2026-11-30""#], wrong: [#""2026-11-31""#, #""2026-1-1""#]),
        Case(#"{"items":{"type":"integer"}}"#, right: ["[]", "[1,2]", "{}"], wrong: [#"[1,"a"]"#]),
        Case(
            #"{"prefixItems":[{"type":"string"}],"items":false}"#,
            right: ["[]", #"["a"]"#],
            wrong: ["[1]", #"["a",1]"#]
        ),
        Case(#"{"minItems":1,"maxItems":2}"#, right: ["[1]", "[1,2]"], wrong: ["[]", "[1,2,3]"]),
        Case(
            #"{"uniqueItems":true}"#,
            right: ["[1,2]", #"[{"a":1},{"a":2}]"#],
            wrong: ["[1,1.0]", #"[{"a":1,"b":2},{"b":2,"a":1}]"#]
        ),
        Case(#"{"contains":{"const":1}}"#, right: ["[0,1]"], wrong: ["[0]", "[]"]),
        Case(#"{"contains":{"const":1},"minContains":0,"maxContains":1}"#, right: ["[]", "[1]"], wrong: ["[1,1]"]),
        Case(#"{"required":["a"]}"#, right: [#"{"a":null}"#, "1"], wrong: ["{}"]),
        Case(#"{"dependentRequired":{"a":["b"]}}"#, right: ["{}", #"{"a":1,"b":1}"#], wrong: [#"{"a":1}"#]),
        Case(
            #"{"properties":{"a":{"type":"string"}},"additionalProperties":false}"#,
            right: ["{}", #"{"a":"x"}"#],
            wrong: [#"{"a":1}"#, #"{"b":1}"#]
        ),
        Case(
            #"{"patternProperties":{"^x":{"type":"integer"}},"additionalProperties":{"type":"string"}}"#,
            right: [#"{"x1":1,"y":"a"}"#],
            wrong: [#"{"x1":"a"}"#, #"{"y":1}"#]
        ),
        Case(#"{"propertyNames":{"maxLength":1}}"#, right: [#"{"a":1}"#], wrong: [#"{"ab":1}"#]),
        Case(#"{"minProperties":1,"maxProperties":2}"#, right: [#"{"a":1}"#], wrong: ["{}", #"{"a":1,"b":1,"c":1}"#]),
        Case(#"{"allOf":[{"minimum":1},{"maximum":2}]}"#, right: ["1"], wrong: ["0", "3"]),
        Case(#"{"anyOf":[{"type":"string"},{"minimum":2}]}"#, right: [#""a""#, "2"], wrong: ["1"]),
        Case(#"{"oneOf":[{"multipleOf":2},{"multipleOf":3}]}"#, right: ["2", "3"], wrong: ["6", "5"]),
        Case(#"{"not":{"type":"null"}}"#, right: ["1"], wrong: ["null"]),
        Case(
            #"{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}"#,
            right: [#"{"a":1,"b":1}"#, #"{"c":1}"#],
            wrong: [#"{"a":1}"#, "{}"]
        ),
        Case(
            ##"{"$defs":{"n":{"type":"integer"}},"properties":{"a":{"$ref":"#/$defs/n"}}}"##,
            right: [#"{"a":1}"#],
            wrong: [#"{"a":"x"}"#]
        ),
        Case(
            ##"{"type":"object","properties":{"next":{"$ref":"#"}},"additionalProperties":false}"##,
            right: [#"{"next":{"next":{}}}"#],
            wrong: [#"{"next":{"nxt":{}}}"#]
        ),
        Case(
            #"{"title":"t","description":"d","default":1,"examples":[1],"$schema":"s","$id":"i","$comment":"c","deprecated":true,"readOnly":true,"writeOnly":true}"#,
            right: ["1"],
            wrong: []
        ),
    ]

    @Test(arguments: cases)
    func keyword(_ test: Case) throws {
        let schema = try JSONSchema(JSON(parsing: test.schema))
        for value in test.right { #expect(schema.validate(try JSON(parsing: value)) == [], "\(value)") }
        for value in test.wrong { #expect(!schema.validate(try JSON(parsing: value)).isEmpty, "\(value)") }
    }

    @Test(arguments: [
        (#"{"propertes":{}}"#, "/propertes"), (#"{"properties":{"a":{"typ":"string"}}}"#, "/properties/a/typ"),
        (#"{"type":"strin"}"#, "/type"), (#"{"type":[]}"#, "/type"), (#"{"minLength":-1}"#, "/minLength"),
        (#"{"required":"a"}"#, "/required"), (#"{"pattern":"("}"#, "/pattern"), (#"{"anyOf":[]}"#, "/anyOf"),
        (#"{"format":"uid"}"#, "/format"), (#"{"items":1}"#, "/items"), (##"{"$ref":"#/$defs/x"}"##, "/$ref"),
        (#"{"$ref":"http://x"}"#, "/$ref"), (#"{"multipleOf":0}"#, "/multipleOf"), ("1", ""),
        (##"{"allOf":[{"$ref":"#"}]}"##, ""), (#"{"enum":[]}"#, "/enum"), (#"{"then":1}"#, "/then"),
    ])
    func refuses(_ text: String, _ path: String) throws {
        let json = try JSON(parsing: text)
        let error = #expect(throws: JSONSchemaError.self) { try JSONSchema(json) }
        #expect(error?.path == path)
    }

    @Test func namesEveryWrongField() throws {
        let schema = try JSONSchema(
            JSON(
                parsing:
                    #"{"type":"object","required":["image"],"properties":{"image":{"type":"string"},"a/b":{"items":{"type":"integer"}}},"additionalProperties":false}"#
            )
        )
        #expect(
            schema.validate(["imge": 1, "a/b": [1, "x"]]) == [
                SchemaViolation(path: "/image", message: "is missing; it is required"),
                SchemaViolation(
                    path: "/imge",
                    message: "is not known here; did you mean 'image'? There are: image, a/b"
                ),
                SchemaViolation(path: "/a~1b/1", message: "is \"x\"; it must be a whole number"),
            ]
        )
        #expect(schema.validate([]) == [SchemaViolation(path: "", message: "is a list; it must be an object")])
        let many = try JSONSchema(["items": ["type": "string"]])
        #expect(many.validate(.array((0..<10_000).map { .number(JSONNumber($0)) })).count == 20)
    }

    @Test(.timeLimit(.minutes(1))) func uniqueItemsOfManyAlikeObjects() throws {
        let schema = try JSONSchema(["uniqueItems": true])
        #expect(schema.validate(.array((0..<10_000).map { ["a": .number(JSONNumber($0)), "b": 1] })) == [])
    }

    @Test func validatesFromManyTasks() async throws {
        let schema = try JSONSchema(["pattern": "^a+$"])
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<100 { group.addTask { schema.validate("aaa").isEmpty && !schema.validate("ab").isEmpty } }
            for await isRight in group { #expect(isRight) }
        }
    }
}
