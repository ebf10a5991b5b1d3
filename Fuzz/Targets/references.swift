// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// References, templates and conditions.
///
/// The first line is a reference, the rest a template over the value in it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzReferences(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.run(start, count) { bytes in
        let (head, rest) = Choices.halves(bytes)
        let text = String(decoding: head, as: UTF8.self)
        let value = Choices.json(rest, words)
        pointer(text, value)
        if let reference = try? Reference(parsing: text) {
            Fuzz.same(try? Reference(parsing: reference.description), reference, "the reference after a round trip")
            _ = reference.resolve(in: value)
        }
        template(value)
        if let condition = try? Condition(value) {
            Fuzz.same(try? Condition(condition.json), condition, "the condition after a round trip")
            Fuzz.same(
                try? condition.holds { _ in value },
                try? condition.holds { _ in value },
                "the verdict of the second time"
            )
            _ = try? condition.holds { _ in nil }
        }
    }
}

private let words = [
    "$ref", "$literal", "equals", "not_equals", "exists", "request#/a", "a#", "a#/0/b", "b!errors#/0", "item#/x~1y",
    "index#", "request#", "a", "b", "0", "-", "~", "/", "~0", "~1", "request#/é", "",
]

private func pointer(_ text: String, _ value: JSON) {
    guard let tokens = JSONPointer.tokens(text) else { return }
    Fuzz.same(JSONPointer.text(tokens), text, "the pointer after a round trip")
    let found = JSONPointer.resolve(tokens, in: value)
    if tokens.isEmpty { Fuzz.same(found, value, "the whole") }
    // Wrapped in an object and a list, everything is found one step further down.
    let wrapped: JSON = ["~/": .array([value])]
    Fuzz.same(JSONPointer.resolve(["~/", "0"] + tokens, in: wrapped), found, "what is found further down")
}

private func template(_ value: JSON) {
    guard let template = try? Template(value) else { return }
    guard let again = try? Template(template.json) else { fatalError("a template can't be read back") }
    Fuzz.same(again.json, template.json, "the template after a round trip")
    Fuzz.same(again.references, template.references, "the references after a round trip")
    let first = try? template.render { _ in value }
    Fuzz.same(try? again.render { _ in value }, first, "what is rendered after a round trip")
    if template.references.isEmpty { Fuzz.require(first != nil, "a template without references does not render") }
    // A skipped stage's null renders to null everywhere.
    _ = try? template.render { _ in JSON.null }
    Fuzz.require(
        template.references.isEmpty || (try? template.render { _ in Optional<JSON>.none }) == nil,
        "a reference found something in nothing"
    )
}
