// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

@Suite struct MediaPlaceTests {
    private static let media = "{ type: string, format: media }"

    /// Line 6 of the file is the first line of the schema.
    private static func load(_ schema: String) throws(DefinitionsError) -> AppDefinition {
        let free = ServiceDefinition(name: "free", engine: .native(handler: "x", options: .null))
        let text = """
            app: a
            prefix: AB
            methods:
              m:
                input:
            \(schema.split(separator: "\n").map { "      \($0)" }.joined(separator: "\n"))
                stages: { s: { service: free, input: {} } }
                output: { type: META_DATA, data: { $ref: "request#" } }
            """
        return try DefinitionLoader.app(yaml: text, file: "apps/a/app.yaml", services: [free])
    }

    @Test(arguments: [
        "properties: { a: \(media), b: { type: array, items: \(media) } }\nadditionalProperties: \(media)",
        "items: { properties: { a: { additionalProperties: { items: \(media) } } } }",
        // No schemas: values, names, and what nothing uses.
        "properties: { format: { const: media }, $ref: { type: string, default: { format: media } } }",
        "$defs: { unused: \(media), text: { type: string } }\nproperties: { a: { $ref: '#/$defs/text' } }",
        "properties: { image: \(media) }\nanyOf: [{ required: [image] }, { required: [url] }]",
    ])
    func mediaAreTakenWhereTheyAreFound(_ schema: String) {
        #expect(throws: Never.self) { _ = try Self.load(schema) }
    }

    @Test(arguments: [
        ("anyOf:\n  - type: object\n    properties:\n      a: \(media)", 9, "/anyOf/0/properties/a"),
        ("properties:\n  a:\n    oneOf: [{ type: 'null' }, \(media)]", 8, "/properties/a/oneOf/1"),
        ("allOf:\n  - { properties: { a: \(media) } }", 7, "/allOf/0/properties/a"),
        ("prefixItems:\n  - \(media)", 7, "/prefixItems/0"),
        ("type: object\npatternProperties: { '^i': \(media) }", 7, "/patternProperties/^i"),
        ("if: { required: [a] }\nthen: { properties: { a: \(media) } }", 7, "/then/properties/a"),
        ("if: { required: [a] }\nelse: { items: \(media) }", 7, "/else/items"),
        ("type: array\ncontains: \(media)", 7, "/contains"),
    ])
    func elsewhereTheyAreRefusedByFileAndLine(_ schema: String, _ line: Int, _ path: String) {
        let error = #expect(throws: DefinitionsError.self) { _ = try Self.load(schema) }
        #expect(
            error?.problems.map(\.description) == [
                "apps/a/app.yaml:\(line): method 'm' has 'format: media' at '\(path)' of its 'input', where media are "
                    + "not found; write it under properties, items or additionalProperties, where media are looked for"
            ]
        )
    }

    @Test(arguments: [
        ("properties:\n  a: { $ref: '#/$defs/image' }\n$defs: { image: \(media) }", 7, "/properties/a"),
        // What is right where it stands is not found where a reference leads to it.
        ("properties:\n  a: \(media)\n  b:\n    $ref: '#/properties/a'", 9, "/properties/b"),
        (
            "items:\n  $ref: '#/$defs/one'\n$defs:\n  one: { properties: { x: { $ref: '#/$defs/two' } } }\n"
                + "  two: { anyOf: [{ properties: { more: { $ref: '#/$defs/one' } } }, \(media)] }", 7, "/items"
        ),
        ("properties:\n  image: \(media)\n  child: { $ref: '#' }", 8, "/properties/child"),
    ])
    func aReferenceToMediaIsRefused(_ schema: String, _ line: Int, _ path: String) {
        let error = #expect(throws: DefinitionsError.self) { _ = try Self.load(schema) }
        #expect(
            error?.problems.map(\.description) == [
                "apps/a/app.yaml:\(line): method 'm' has a '$ref' to 'format: media' at '\(path)' of its 'input', "
                    + "where media are not found; write the schema out in place of the '$ref'"
            ]
        )
    }
}
