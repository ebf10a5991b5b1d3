// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A place in a schema's document: what is known of a value before there is one.
struct SchemaPlace {
    /// What a walk into a place came to.
    enum Step {
        /// The schema of what lies there.
        case place(SchemaPlace)
        /// The schema does not tell.
        case unknown
        /// There can be nothing; why.
        case nothing(String)
    }

    let schema: JSON
    let document: JSON
    /// Whether the value may be null whatever the schema says: the stage may be skipped, or an item may have failed.
    var isOptional = false

    init(_ schema: JSONSchema) {
        self.init(schema: schema.source, document: schema.source)
    }

    private init(schema: JSON, document: JSON) {
        self.document = document
        var schema = schema
        // A chain of references ends: the compiler refused the circles.
        var hops = 0
        while hops < 32, let text = schema["$ref"]?.string, schema.object?.count == 1,
            let tokens = JSONPointer.tokens(String(text.dropFirst())),
            let next = JSONPointer.resolve(tokens, in: document)
        {
            schema = next
            hops += 1
        }
        self.schema = schema
    }

    /// The types that the schema allows, or nil when it names none.
    var types: JSONType? {
        guard let type = schema["type"] else { return nil }
        let types = (type.array ?? [type]).reduce(into: JSONType()) { types, name in
            if let type = name.string.flatMap(JSONType.init(name:)) { types.formUnion(type) }
        }
        return isOptional ? types.union(.null) : types
    }

    /// The names of members that must be there.
    var required: [String] { schema["required"]?.array?.compactMap(\.string) ?? [] }

    /// The place of a list's elements.
    var items: SchemaPlace? {
        guard schema["prefixItems"] == nil, let items = schema["items"] else { return nil }
        return SchemaPlace(schema: items, document: document)
    }

    /// Goes into the value by the tokens of a JSON Pointer.
    func step(into tokens: [String]) -> Step {
        var place = self
        for token in tokens {
            switch place.step(into: token) {
            case .place(let next): place = next
            case let other: return other
            }
        }
        return .place(place)
    }

    private func step(into token: String) -> Step {
        guard let object = schema.object else { return .unknown }
        if let member = object["properties"]?[token] { return .place(SchemaPlace(schema: member, document: document)) }
        if let types {
            let values = types.subtracting(.null)
            if values == .array, JSONPointer.index(token) == nil {
                return .nothing("'\(token)' stands where a list is; a number must follow")
            }
            if values.isDisjoint(with: [.array, .object]) {
                return .nothing("'\(token)' stands where \(types.text) is; nothing lies within")
            }
            if values == .array { return items.map(Step.place) ?? .unknown }
        }
        guard object["patternProperties"] == nil else { return .unknown }
        switch object["additionalProperties"] {
        case .bool(false)?:
            let names = object["properties"]?.object?.names ?? []
            return .nothing("there is no '\(token)'" + Suggestion.text(for: token, among: names))
        case let rest?: return .place(SchemaPlace(schema: rest, document: document))
        case nil: return .unknown
        }
    }
}
