// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A keyword of a schema with its value and its place.
struct SchemaKeyword {
    let name: String
    let value: JSON
    let path: String

    /// Keywords that say nothing about a value.
    static let annotations: Set<String> = [
        "$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly",
        "writeOnly", "contentEncoding", "contentMediaType",
    ]

    /// Every keyword that is known.
    static let known: [String] =
        annotations.sorted() + [
            "$ref", "$defs", "definitions", "type", "enum", "const", "properties", "required", "additionalProperties",
            "patternProperties", "propertyNames", "minProperties", "maxProperties", "dependentRequired", "items",
            "prefixItems", "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems",
            "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
            "exclusiveMaximum", "multipleOf", "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
        ]

    /// What to say about a keyword that nobody knows.
    static func unknown(_ name: String) -> String {
        "is no keyword that is known here" + Suggestion.text(for: name, among: known)
    }

    /// Compiles a keyword that holds no schema: none or one assertion; nil when it does hold one or is not known.
    func assertion() throws(JSONSchemaError) -> [SchemaAssertion]? {
        switch name {
        case _ where Self.annotations.contains(name): return []
        case "type": return [.type(try type())]
        case "enum": return [.oneOfValues(try nonEmptyList())]
        case "const": return [.const(value)]
        case "minimum": return [.minimum(try number().double)]
        case "maximum": return [.maximum(try number().double)]
        case "exclusiveMinimum": return [.exclusiveMinimum(try number().double)]
        case "exclusiveMaximum": return [.exclusiveMaximum(try number().double)]
        case "multipleOf":
            let number = try number()
            guard number.double > 0 else { throw error("must be a number above 0") }
            return [.multipleOf(number)]
        case "minLength": return [.minLength(try count())]
        case "maxLength": return [.maxLength(try count())]
        case "pattern":
            guard let pattern = SchemaPattern(try string()) else { throw error("is no regular expression") }
            return [.pattern(pattern)]
        case "format": return try format()
        case "minItems": return [.minItems(try count())]
        case "maxItems": return [.maxItems(try count())]
        case "uniqueItems":
            guard let isUnique = value.bool else { throw error("must be true or false") }
            return isUnique ? [.uniqueItems] : []
        case "minContains", "maxContains":
            // `contains` takes them up.
            _ = try count()
            return []
        case "required": return [.required(try strings())]
        case "dependentRequired":
            var dependent: [(name: String, wanted: [String])] = []
            for (name, names) in try object().members {
                let inner = SchemaKeyword(name: name, value: names, path: path + "/" + JSONPointer.escape(name))
                dependent.append((name, try inner.strings()))
            }
            return [.dependentRequired(dependent)]
        case "minProperties": return [.minProperties(try count())]
        case "maxProperties": return [.maxProperties(try count())]
        default: return nil
        }
    }

    /// The value as an object.
    func object() throws(JSONSchemaError) -> JSONObject {
        guard let object = value.object else { throw error("must be an object") }
        return object
    }

    private func type() throws(JSONSchemaError) -> JSONType {
        let names = value.array ?? [value]
        var types: JSONType = []
        for name in names {
            guard let text = name.string, let type = JSONType(name: text) else {
                throw error(
                    "names the type \(name.text); there are: " + JSONType.named.map(\.name).joined(separator: ", ")
                )
            }
            types.formUnion(type)
        }
        guard !names.isEmpty else { throw error("names no type") }
        return types
    }

    private func format() throws(JSONSchemaError) -> [SchemaAssertion] {
        let name = try string()
        if let format = SchemaFormat(rawValue: name) { return [.format(format)] }
        guard SchemaFormat.annotations.contains(name) else {
            let known = SchemaFormat.allCases.map(\.rawValue) + SchemaFormat.annotations.sorted()
            throw error("names the unknown format '\(name)'" + Suggestion.text(for: name, among: known))
        }
        return []
    }

    private func nonEmptyList() throws(JSONSchemaError) -> [JSON] {
        guard let elements = value.array, !elements.isEmpty else { throw error("must be a list of at least one value") }
        return elements
    }

    private func strings() throws(JSONSchemaError) -> [String] {
        guard let elements = value.array else { throw error("must be a list of names") }
        let names = elements.compactMap(\.string)
        guard names.count == elements.count else { throw error("must be a list of names") }
        return names
    }

    private func string() throws(JSONSchemaError) -> String {
        guard let text = value.string else { throw error("must be a string") }
        return text
    }

    private func number() throws(JSONSchemaError) -> JSONNumber {
        guard case .number(let number) = value else { throw error("must be a number") }
        return number
    }

    private func count() throws(JSONSchemaError) -> Int {
        guard let count = value.int, count >= 0 else { throw error("must be a whole number of at least 0") }
        return count
    }

    private func error(_ message: String) -> JSONSchemaError { JSONSchemaError(path: path, message: message) }
}
