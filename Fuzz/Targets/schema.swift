// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// JSON Schema.
///
/// The first line is a schema, the rest a value.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSchema(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.run(start, count) { bytes in
        let (head, rest) = Choices.halves(bytes)
        let source = Choices.json(head, words)
        let value = Choices.json(rest, words)
        ownSchema(value)
        if case .string = source, case .string = value {
            Fuzz.same(verdict(["const": source], value), source.bytes == value.bytes, "a text as a constant")
            Fuzz.same(
                verdict(["uniqueItems": true], [source, value]),
                source.bytes != value.bytes,
                "two texts of their own"
            )
        }
        guard let schema = try? JSONSchema(source) else { return }
        let violations = schema.validate(value)
        Fuzz.require(violations.count <= JSONSchema.maxViolations, "there are \(violations.count) violations")
        Fuzz.same(schema.validate(value).count, violations.count, "the violations of the second time")
        for violation in violations {
            Fuzz.require(JSONPointer.tokens(violation.path) != nil, "the path \(violation.path) is no pointer")
            Fuzz.require(!violation.message.isEmpty, "a violation has no message")
        }
        let fits = violations.isEmpty
        Fuzz.same(verdict(source, reordered(value)), fits, "the verdict in another order")
        // References are from the root, so a schema that has some can't be put into another.
        guard !source.text.contains("$ref") else { return }
        Fuzz.same(verdict(["allOf": [source, source]], value), fits, "allOf of itself")
        Fuzz.same(verdict(["anyOf": [source, false]], value), fits, "anyOf with what fits nothing")
        Fuzz.same(verdict(["oneOf": [source, false]], value), fits, "oneOf with what fits nothing")
        Fuzz.same(verdict(["not": ["not": source]], value), fits, "not of not")
        Fuzz.same(verdict(["items": source], [value]), fits, "as an element")
        Fuzz.same(verdict(["properties": ["a": source]], ["a": value]), fits, "as a member")
        Fuzz.same(verdict(["$defs": ["a": source], "$ref": "#/$defs/a"], value), fits, "as a definition")
        Fuzz.same(verdict(["if": source, "then": true, "else": false], value), fits, "as a condition")
    }
}

private let words = [
    "type", "properties", "required", "items", "prefixItems", "enum", "const", "minimum", "maximum", "multipleOf",
    "exclusiveMinimum", "minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems",
    "contains",
    "minContains", "maxContains", "dependentRequired", "propertyNames", "minProperties", "maxProperties", "allOf",
    "anyOf",
    "oneOf", "not", "if", "then", "else", "$ref", "$defs", "additionalProperties", "patternProperties", "#",
    "#/$defs/a",
    "#/properties/a", "a", "b", "c", "string", "number", "integer", "object", "array", "null", "boolean", "date-time",
    "date", "uuid", "uri", "email", "2026-11-21T09:30:00Z", "https://a.b/c", "a@b.c", "^[a-z]+$", "",
]

/// An object fits what names its members and their values, and does not without one of them.
private func ownSchema(_ value: JSON) {
    guard case .object(let object) = value, let last = object.members.last else { return }
    var properties = JSONObject()
    for (name, member) in object.members { properties[name] = ["const": member] }
    let names = object.names.map { JSON.string($0) }
    let schema: JSON = [
        "properties": .object(properties), "additionalProperties": false, "required": .array(names),
    ]
    Fuzz.same(verdict(schema, value), true, "an object and its own schema")
    var less = object
    less[last.name] = nil
    Fuzz.same(verdict(schema, .object(less)), false, "an object without a member")
    properties[last.name] = nil
    Fuzz.same(
        verdict(["properties": .object(properties), "additionalProperties": false], value),
        false,
        "an object with one more member"
    )
}

private func verdict(_ schema: JSON, _ value: JSON) -> Bool? {
    (try? JSONSchema(schema)).map { $0.validate(value).isEmpty }
}

private func reordered(_ value: JSON) -> JSON {
    switch value {
    case .object(let object): .object(JSONObject(object.members.reversed().map { ($0.name, reordered($0.value)) }))
    case .array(let elements): .array(elements.map(reordered))
    default: value
    }
}
