// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// JSON with references in it: `{ $ref: "detect#/faces" }` stands for what the pointer finds.
///
/// `{ $literal: … }` stands for the value in it as it is, references and all.
public indirect enum Template: Sendable, Hashable {
    /// A value as it is.
    case literal(JSON)
    /// A reference.
    case reference(Reference)
    /// A list of templates.
    case array([Template])
    /// Members that are templates.
    case object([Member])

    /// A member of an object template.
    public struct Member: Sendable, Hashable {
        /// The name.
        public var name: String
        /// The value.
        public var value: Template

        /// Makes a member.
        public init(name: String, value: Template) {
            self.name = name
            self.value = value
        }
    }
}

extension Template {
    /// Reads a template; parts without a reference become literals.
    ///
    /// - Throws: `ReferenceError` for a reference that is none, or one with other members beside it.
    public init(_ json: JSON) throws(ReferenceError) {
        switch json {
        case .array(let elements):
            var templates: [Template] = []
            templates.reserveCapacity(elements.count)
            for element in elements { templates.append(try Template(element)) }
            self = templates.allSatisfy(\.isPlain) ? .literal(json) : .array(templates)
        case .object(let object):
            if let quoted = object["$literal"] {
                try Self.checkAlone("$literal", in: object, shown: "$literal")
                self = .literal(quoted)
            } else if let reference = object["$ref"] {
                guard let text = reference.string else {
                    throw ReferenceError(
                        reference: reference.text,
                        reason: "is no string; write $ref: \"stage#/field\""
                    )
                }
                try Self.checkAlone("$ref", in: object, shown: text)
                self = .reference(try Reference(parsing: text))
            } else {
                var members: [Member] = []
                members.reserveCapacity(object.count)
                for (name, value) in object.members { members.append(Member(name: name, value: try Template(value))) }
                self = members.allSatisfy(\.value.isPlain) ? .literal(json) : .object(members)
            }
        default: self = .literal(json)
        }
    }

    /// The template as JSON that `Template(_:)` reads back.
    public var json: JSON {
        switch self {
        case .literal(let value):
            Self.needsQuoting(value) ? .object(JSONObject([("$literal", value)])) : value
        case .reference(let reference): .object(JSONObject([("$ref", .string(reference.description))]))
        case .array(let templates): .array(templates.map(\.json))
        case .object(let members): .object(JSONObject(members.map { ($0.name, $0.value.json) }))
        }
    }

    /// Its references, in the order in which they stand.
    public var references: [Reference] {
        switch self {
        case .literal: []
        case .reference(let reference): [reference]
        case .array(let templates): templates.flatMap(\.references)
        case .object(let members): members.flatMap(\.value.references)
        }
    }

    /// Puts values in the references' places; a template that is one whole reference is its value as it is.
    ///
    /// - Parameter lookup: what a root's value is, or nil when it has none now; a skipped stage's is `null`,
    ///   and anything within it is `null` as well.
    /// - Throws: `ReferenceError` that names the reference that found nothing, or what `lookup` throws.
    public func render(_ lookup: Reference.Lookup) throws(ReferenceError) -> JSON {
        switch self {
        case .literal(let value): return value
        case .reference(let reference):
            guard let value = try reference.find(lookup) else {
                throw ReferenceError(reference: reference.description, reason: "finds nothing: there is no such value")
            }
            return value
        case .array(let templates):
            var elements: [JSON] = []
            elements.reserveCapacity(templates.count)
            for template in templates { elements.append(try template.render(lookup)) }
            return .array(elements)
        case .object(let members):
            var rendered: [(String, JSON)] = []
            rendered.reserveCapacity(members.count)
            for member in members { rendered.append((member.name, try member.value.render(lookup))) }
            return .object(JSONObject(rendered))
        }
    }

    /// Whether it is a literal that writes itself without quoting, so that a parent may be one literal, too.
    private var isPlain: Bool {
        guard case .literal(let value) = self else { return false }
        return !Self.needsQuoting(value)
    }

    private static func checkAlone(_ name: String, in object: JSONObject, shown: String) throws(ReferenceError) {
        guard object.count > 1 else { return }
        let others = object.names.filter { $0 != name }.map { "'\($0)'" }.joined(separator: ", ")
        throw ReferenceError(reference: shown, reason: "has \(others) beside it; \(name) must be the only member")
    }

    private static func needsQuoting(_ value: JSON) -> Bool {
        switch value {
        case .array(let elements): elements.contains(where: needsQuoting)
        case .object(let object):
            object.members.contains { $0.name == "$ref" || $0.name == "$literal" || needsQuoting($0.value) }
        default: false
        }
    }
}
