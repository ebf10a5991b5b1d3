// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Turns a schema into nodes of assertions; each place of the document is compiled once, so that it may recurse.
struct SchemaCompiler {
    private let document: JSON
    private var nodes: [[SchemaAssertion]] = []
    private var places: [JSONName: Int] = [:]
    /// The place of each node, for messages.
    private var paths: [String] = []

    init(document: JSON) {
        self.document = document
    }

    /// Compiles the document; node 0 is the whole.
    mutating func compile() throws(JSONSchemaError) -> [[SchemaAssertion]] {
        _ = try node(document, at: "")
        try checkLoops()
        return nodes
    }

    private mutating func node(_ schema: JSON, at path: String) throws(JSONSchemaError) -> Int {
        if let known = places[JSONName(text: path)] { return known }
        let index = nodes.count
        nodes.append([])
        paths.append(path)
        places[JSONName(text: path)] = index
        switch schema {
        case .bool(true): break
        case .bool(false): nodes[index] = [.never]
        case .object(let object): nodes[index] = try assertions(of: object, at: path)
        default:
            let type = JSONType(of: schema).text
            throw JSONSchemaError(path: path, message: "is \(type); it must be a schema: an object, true or false")
        }
        return index
    }

    private mutating func assertions(
        of schema: JSONObject,
        at path: String
    ) throws(JSONSchemaError) -> [SchemaAssertion] {
        var assertions: [SchemaAssertion] = []
        for (keyword, value) in schema.members {
            let place = SchemaKeyword(name: keyword, value: value, path: path + "/" + JSONPointer.escape(keyword))
            if let simple = try place.assertion() {
                assertions.append(contentsOf: simple)
            } else if let nested = try self.nested(place, in: schema) {
                assertions.append(nested)
            }
        }
        if schema["properties"] != nil || schema["patternProperties"] != nil || schema["additionalProperties"] != nil {
            assertions.append(.members(try members(of: schema, at: path)))
        }
        return assertions
    }

    /// Compiles a keyword that holds schemas; nil when another keyword takes it up.
    private mutating func nested(
        _ keyword: SchemaKeyword,
        in schema: JSONObject
    ) throws(JSONSchemaError) -> SchemaAssertion? {
        let (value, path) = (keyword.value, keyword.path)
        switch keyword.name {
        case "$ref": return .reference(try referenced(keyword))
        case "$defs", "definitions":
            for (name, definition) in try keyword.object().members {
                _ = try node(definition, at: path + "/" + JSONPointer.escape(name))
            }
            return nil
        case "allOf": return .allOf(try list(keyword))
        case "anyOf": return .anyOf(try list(keyword))
        case "oneOf": return .oneOf(try list(keyword))
        case "not": return .not(try node(value, at: path))
        case "if":
            let base = String(path.dropLast("if".count))
            let condition = try node(value, at: path)
            let then = try optional(schema["then"], at: base + "then")
            return .conditional(if: condition, then: then, else: try optional(schema["else"], at: base + "else"))
        case "then", "else":
            // Without an `if` they mean nothing, but must still be schemas.
            _ = try node(value, at: path)
            return nil
        case "prefixItems":
            let rest = try optional(schema["items"], at: path.dropLast("prefixItems".count) + "items")
            return .items(prefix: try list(keyword), rest: rest)
        case "items":
            if schema["prefixItems"] != nil { return nil }
            return .items(prefix: [], rest: try node(value, at: path))
        case "contains":
            let min = schema["minContains"]?.int ?? 1
            return .contains(try node(value, at: path), min: min, max: schema["maxContains"]?.int)
        case "propertyNames": return .propertyNames(try node(value, at: path))
        case "properties", "patternProperties", "additionalProperties": return nil
        default:
            throw JSONSchemaError(path: path, message: SchemaKeyword.unknown(keyword.name))
        }
    }

    private mutating func members(of schema: JSONObject, at path: String) throws(JSONSchemaError) -> SchemaMembers {
        var members = SchemaMembers()
        if let value = schema["properties"] {
            let keyword = SchemaKeyword(name: "properties", value: value, path: path + "/properties")
            for (name, property) in try keyword.object().members {
                let place = keyword.path + "/" + JSONPointer.escape(name)
                members.named[JSONName(text: name)] = try node(property, at: place)
                members.names.append(name)
            }
        }
        if let value = schema["patternProperties"] {
            let keyword = SchemaKeyword(name: "patternProperties", value: value, path: path + "/patternProperties")
            for (text, property) in try keyword.object().members {
                let place = keyword.path + "/" + JSONPointer.escape(text)
                guard let pattern = SchemaPattern(text) else {
                    throw JSONSchemaError(path: place, message: "is no regular expression")
                }
                members.patterned.append((pattern, try node(property, at: place)))
            }
        }
        switch schema["additionalProperties"] {
        case nil, .bool(true): break
        case .bool(false): members.rest = .refused
        case let value?: members.rest = .schema(try node(value, at: path + "/additionalProperties"))
        }
        return members
    }

    private mutating func list(_ keyword: SchemaKeyword) throws(JSONSchemaError) -> [Int] {
        guard let schemas = keyword.value.array, !schemas.isEmpty else {
            throw JSONSchemaError(path: keyword.path, message: "must be a list of at least one schema")
        }
        var nodes: [Int] = []
        for (index, schema) in schemas.enumerated() { nodes.append(try node(schema, at: "\(keyword.path)/\(index)")) }
        return nodes
    }

    private mutating func optional(_ schema: JSON?, at path: String) throws(JSONSchemaError) -> Int? {
        guard let schema else { return nil }
        return try node(schema, at: path)
    }

    private mutating func referenced(_ keyword: SchemaKeyword) throws(JSONSchemaError) -> Int {
        guard let text = keyword.value.string, text.hasPrefix("#"),
            let tokens = JSONPointer.tokens(String(text.dropFirst()))
        else {
            throw JSONSchemaError(
                path: keyword.path,
                message: "must be a JSON Pointer into the same schema, such as \"#/$defs/name\""
            )
        }
        guard let schema = JSONPointer.resolve(tokens, in: document) else {
            throw JSONSchemaError(path: keyword.path, message: "names '\(text)', which is not in this schema")
        }
        return try node(schema, at: JSONPointer.text(tokens))
    }

    /// A schema that leads back to itself for the same value would be checked for ever.
    private func checkLoops() throws(JSONSchemaError) {
        enum Mark { case under, done }
        var marks: [Mark?] = Array(repeating: nil, count: nodes.count)
        func visit(_ node: Int) throws(JSONSchemaError) {
            if marks[node] == .done { return }
            guard marks[node] == nil else {
                throw JSONSchemaError(path: paths[node], message: "refers to itself without going into the value")
            }
            marks[node] = .under
            for assertion in nodes[node] {
                for next in assertion.inPlace { try visit(next) }
            }
            marks[node] = .done
        }
        for node in nodes.indices { try visit(node) }
    }
}
