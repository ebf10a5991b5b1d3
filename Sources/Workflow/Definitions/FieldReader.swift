// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// Reads the fields of one map of a definition: finds typos and wrong types and says what would be right.
package struct FieldReader {
    let file: String
    /// What the map is, for messages: `stage 'detect'`.
    let what: String
    let node: SourceNode
    package private(set) var problems: [DefinitionProblem] = []
    private let members: [SourceNode.Member]

    /// Takes a map; every member must have one of the names.
    package init(_ node: SourceNode, what: String, file: String, names: [String]) {
        self.file = file
        self.what = what
        self.node = node
        members = node.members ?? []
        if node.members == nil {
            add(node.line, "is \(node.kind); it must be a map with some of: " + names.joined(separator: ", "))
        }
        for member in members where !names.contains(member.name) {
            add(member.line, "has the unknown key '\(member.name)'" + Suggestion.text(for: member.name, among: names))
        }
    }

    /// Whether it is a map at all.
    package var isMap: Bool { node.members != nil }

    /// The field's value and the line of its name; nil when it is not there.
    package func field(_ name: String) -> SourceNode.Member? { members.first { $0.name == name } }

    /// The line of a field, or of the map when it is not there.
    func line(of name: String) -> Int { field(name)?.line ?? node.line }

    package mutating func add(_ line: Int, _ message: String) {
        problems.append(DefinitionProblem(file: file, line: line, message: "\(what) \(message)"))
    }

    package mutating func add(contentsOf others: [DefinitionProblem]) { problems.append(contentsOf: others) }

    /// A field that must be there.
    mutating func required(_ name: String, _ form: String) -> SourceNode.Member? {
        guard isMap else { return nil }
        if let member = field(name) { return member }
        add(node.line, "has no '\(name)'; write \(form)")
        return nil
    }

    mutating func text(_ name: String, default value: String = "") -> String {
        guard let member = field(name) else { return value }
        guard let text = member.value.text else {
            wrong(member, "a string")
            return value
        }
        return text
    }

    package mutating func int(_ name: String, in range: ClosedRange<Int>, default value: Int) -> Int {
        guard let member = field(name) else { return value }
        guard let number = member.value.json.int, range.contains(number) else {
            wrong(member, "a whole number from \(range.lowerBound) to \(range.upperBound)")
            return value
        }
        return number
    }

    mutating func duration(
        _ name: String,
        default value: Duration,
        atLeast least: Duration = .milliseconds(1)
    ) -> Duration {
        guard let member = field(name) else { return value }
        guard let duration = member.value.text.flatMap(Quantity.duration), duration >= least else {
            wrong(member, least > .zero ? "a time above 0 such as 30s, 5m or 250ms" : "a time such as 30s, 5m or 250ms")
            return value
        }
        return duration
    }

    mutating func size(_ name: String) -> Int? {
        guard let member = field(name) else { return nil }
        guard let size = member.value.text.flatMap(Quantity.bytes), size > 0 else {
            wrong(member, "a size such as 512MiB or 2GiB")
            return nil
        }
        return size
    }

    mutating func schema(_ name: String) -> JSONSchema? {
        guard let member = field(name) else { return nil }
        do {
            return try JSONSchema(member.value.json)
        } catch {
            let line = member.value.nearest(to: JSONPointer.tokens(error.path) ?? []).line
            add(error.path.isEmpty ? member.line : line, "has a wrong schema in '\(name)': \(error)")
            return nil
        }
    }

    package mutating func wrong(_ member: SourceNode.Member, _ form: String) {
        let value = member.value.json
        let shown = value.array == nil && value.object == nil ? value.text : member.value.kind
        add(member.line, "has \(shown) as '\(member.name)'; it must be \(form)")
    }
}
