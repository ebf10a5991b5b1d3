// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A part of a definition's text with the line where it stands.
package struct SourceNode: Sendable {
    /// A member of a map.
    package struct Member: Sendable {
        package var name: String
        package var line: Int
        package var value: SourceNode
    }

    /// What it is.
    enum Content: Sendable {
        case scalar(JSON)
        case list([SourceNode])
        case map([Member])
    }

    var content: Content
    package var line: Int

    /// The value without the lines.
    package var json: JSON {
        switch content {
        case .scalar(let value): value
        case .list(let elements): .array(elements.map(\.json))
        case .map(let members): .object(JSONObject(members.map { ($0.name, $0.value.json) }))
        }
    }

    /// The members, when it is a map.
    package var members: [Member]? {
        guard case .map(let members) = content else { return nil }
        return members
    }

    /// The member of that name.
    subscript(_ name: String) -> SourceNode? { members?.first { $0.name == name }?.value }

    /// The text of a scalar: a string as it is, a number as it was written.
    package var text: String? {
        switch content {
        case .scalar(.string(let text)): text
        case .scalar(.number(let number)): number.text
        default: nil
        }
    }

    /// What it is, for a person.
    package var kind: String { JSONType(of: json).text }

    /// The node that a JSON Pointer finds, or the last one on the way.
    func nearest(to tokens: [String]) -> (node: SourceNode, line: Int) {
        var (node, line) = (self, self.line)
        for token in tokens {
            switch node.content {
            case .map(let members):
                guard let member = members.first(where: { $0.name == token }) else { return (node, line) }
                (node, line) = (member.value, member.line)
            case .list(let elements):
                guard let index = JSONPointer.index(token), index < elements.count else { return (node, line) }
                (node, line) = (elements[index], elements[index].line)
            case .scalar: return (node, line)
            }
        }
        return (node, line)
    }
}
