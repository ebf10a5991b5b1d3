// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Finds `format: media` at places of a method's input where a payload's media would not be looked for.
///
/// The App API looks for media, and checks whose they are, along `properties`, `items` and `additionalProperties`
/// alone; anywhere else the schema would promise a check that nobody makes.
struct MediaPlaces {
    /// Keywords that hold one schema.
    private static let single: Set<String> = [
        "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
    ]
    /// Keywords that hold a list of schemas.
    private static let listed: Set<String> = ["allOf", "anyOf", "oneOf", "prefixItems"]
    /// Keywords that hold schemas by name; `$defs` is not among them, as what lies there counts where it is used.
    private static let named: Set<String> = ["properties", "patternProperties"]
    private static let searched: Set<String> = ["properties", "items", "additionalProperties"]
    private static let right = "write it under properties, items or additionalProperties, where media are looked for"

    private let document: SourceNode
    private var problems: [(line: Int, message: String)] = []

    /// Tells what is wrong with a schema that compiles: line and message of each problem.
    static func problems(in schema: SourceNode) -> [(line: Int, message: String)] {
        var places = MediaPlaces(document: schema)
        places.walk(schema, at: "", isSearched: true)
        return places.problems
    }

    private init(document: SourceNode) { self.document = document }

    private mutating func walk(_ schema: SourceNode, at path: String, isSearched: Bool) {
        for keyword in schema.members ?? [] {
            switch keyword.name {
            case "format":
                guard !isSearched, keyword.value.text == "media" else { break }
                problems.append(
                    (
                        keyword.line,
                        "has 'format: media' at '\(path)' of its 'input', where media are not found; "
                            + Self.right
                    )
                )
            case "$ref":
                var seen: Set<String> = []
                guard leadsToMedia(keyword.value, &seen) else { break }
                problems.append(
                    (
                        keyword.line,
                        "has a '$ref' to 'format: media' at '\(path)' of its 'input', where media are not "
                            + "found; write the schema out in place of the '$ref'"
                    )
                )
            default:
                for (inner, name) in Self.schemas(of: keyword) {
                    walk(inner, at: path + name, isSearched: isSearched && Self.searched.contains(keyword.name))
                }
            }
        }
    }

    /// The schemas within a keyword, with the rest of their paths.
    private static func schemas(of keyword: SourceNode.Member) -> [(schema: SourceNode, path: String)] {
        let path = "/" + JSONPointer.escape(keyword.name)
        if single.contains(keyword.name) { return [(keyword.value, path)] }
        if listed.contains(keyword.name), case .list(let schemas) = keyword.value.content {
            return schemas.enumerated().map { ($0.element, "\(path)/\($0.offset)") }
        }
        if named.contains(keyword.name) {
            return (keyword.value.members ?? []).map { ($0.value, path + "/" + JSONPointer.escape($0.name)) }
        }
        return []
    }

    /// Whether what a `$ref` names holds media, by however many more of them; schemas may recurse.
    private func leadsToMedia(_ reference: SourceNode, _ seen: inout Set<String>) -> Bool {
        guard let text = reference.text, seen.insert(text).inserted,
            let tokens = JSONPointer.tokens(String(text.dropFirst()))
        else { return false }
        return holdsMedia(document.nearest(to: tokens).node, &seen)
    }

    private func holdsMedia(_ schema: SourceNode, _ seen: inout Set<String>) -> Bool {
        for keyword in schema.members ?? [] {
            if keyword.name == "format", keyword.value.text == "media" { return true }
            if keyword.name == "$ref", leadsToMedia(keyword.value, &seen) { return true }
            for (inner, _) in Self.schemas(of: keyword) where holdsMedia(inner, &seen) { return true }
        }
        return false
    }
}
