// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Hummingbird
import Plumbing
import Workflow

/// Reads the members of a body, or of a query, one by one; whatever is wrong is refused with its name and what is right.
///
/// A member that is `null` counts as not there.
struct MemberReader: Sendable {
    private let members: JSONObject
    /// What stands before a name: `/` for a body, `/jobs/3/` within one, nothing for a query.
    private let prefix: String
    private let isQuery: Bool

    /// Reads a body, or an object within it.
    ///
    /// - Throws: ``Problem`` (422) when it is no object or has a member that is not known.
    init(_ json: JSON, at prefix: String = "/", known: [String]) throws(Problem) {
        guard let object = json.object else {
            let field = prefix == "/" ? nil : String(prefix.dropLast())
            throw Problem(.unprocessableContent, "give a JSON object", field: field)
        }
        self.prefix = prefix
        members = object
        isQuery = false
        try refuseUnknown(known)
    }

    /// Reads a query; a name that stands several times is a list.
    init(query: Parameters, known: [String]) throws(Problem) {
        var object = JSONObject()
        for (name, value) in query {
            let (name, value) = (String(name), JSON.string(String(value)))
            switch object[name] {
            case nil: object[name] = value
            case .array(let values)?: object[name] = .array(values + [value])
            case let first?: object[name] = [first, value]
            }
        }
        members = object
        prefix = ""
        isQuery = true
        try refuseUnknown(known)
    }

    private func refuseUnknown(_ known: [String]) throws(Problem) {
        for name in members.names where !known.contains(name) {
            throw Problem(
                .unprocessableContent,
                "there is no '\(name.prefix(64))'; there are: \(known.sorted().joined(separator: ", "))",
                field: prefix + String(name.prefix(64))
            )
        }
    }

    /// The names that are given.
    var names: [String] { members.members.filter { $0.value != .null }.map(\.name) }

    /// The member as it is; nil when it is not there or null.
    subscript(_ name: String) -> JSON? {
        guard let value = members[name], value != .null else { return nil }
        return value
    }

    /// Whether the member is there, be it null.
    func has(_ name: String) -> Bool { members[name] != nil }

    /// How the member is called in a problem.
    func field(_ name: String) -> String { prefix + name }

    /// What is wrong with a member.
    func wrong(_ name: String, _ right: String) -> Problem {
        Problem(.unprocessableContent, "'\(name)': \(right)", field: field(name))
    }

    /// A text of 1 to `limit` characters.
    func text(_ name: String, limit: Int = 255) throws(Problem) -> String? {
        guard let json = self[name] else { return nil }
        guard let text = json.string, Self.isPlain(text, limit) else {
            throw wrong(name, "give a text of 1 to \(limit) characters without control characters")
        }
        return text
    }

    /// A text that must be there.
    func needed(_ name: String, limit: Int = 255) throws(Problem) -> String {
        guard let text = try text(name, limit: limit) else {
            throw wrong(name, "it is missing; give a text of 1 to \(limit) characters")
        }
        return text
    }

    /// A list of texts; a single text is a list of one, and an empty list is nil.
    func texts(_ name: String, limit: Int = 255) throws(Problem) -> [String]? {
        guard let json = self[name] else { return nil }
        let list = json.array ?? [json]
        var texts: [String] = []
        for element in list {
            guard let text = element.string, Self.isPlain(text, limit) else {
                throw wrong(name, "give a text, or a list of texts, each of 1 to \(limit) characters")
            }
            texts.append(text)
        }
        guard texts.count <= 100 else { throw wrong(name, "give at most 100 texts") }
        return texts.isEmpty ? nil : texts
    }

    /// A whole number within a range.
    func whole(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let json = self[name] else { return nil }
        let number = isQuery ? json.string.flatMap { Int($0) } : json.int
        guard let number, range.contains(number) else {
            throw wrong(name, "give a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A number of seconds within a range.
    func seconds(_ name: String, in range: ClosedRange<Double>) throws(Problem) -> Duration? {
        guard let json = self[name] else { return nil }
        guard let number = json.double, range.contains(number) else {
            throw wrong(name, "give a number of seconds from \(Int(range.lowerBound)) to \(Int(range.upperBound))")
        }
        return .microseconds(Int64(number * 1_000_000))
    }

    /// A truth value.
    func truth(_ name: String) throws(Problem) -> Bool? {
        guard let json = self[name] else { return nil }
        guard let value = json.bool else { throw wrong(name, "give true or false") }
        return value
    }

    /// A moment in RFC 3339.
    func moment(_ name: String) throws(Problem) -> Timestamp? {
        guard let json = self[name] else { return nil }
        // A plus sign of an offset arrives as a blank when a client does not escape it.
        let text = isQuery ? json.string.map { String($0.map { $0 == " " ? "+" : $0 }) } : json.string
        guard let moment = text.flatMap({ Timestamp(rfc3339: $0) }) else {
            throw wrong(name, "give a moment in RFC 3339, such as 2026-11-21T00:05:16Z")
        }
        return moment
    }

    /// An id.
    func id(_ name: String) throws(Problem) -> MeshID? {
        guard let json = self[name] else { return nil }
        guard let id = json.string.flatMap({ MeshID($0) }) else { throw wrong(name, "give a UUID") }
        return id
    }

    private static func isPlain(_ text: String, _ limit: Int) -> Bool {
        !text.isEmpty && text.utf8.count <= limit * 4 && text.count <= limit
            && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    }
}
