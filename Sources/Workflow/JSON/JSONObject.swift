// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The members of a JSON object in their order; a name that stands twice counts with its last value.
public struct JSONObject: Sendable {
    /// The members, each name once.
    public private(set) var members: [(name: String, value: JSON)]
    /// Where each name stands; only kept for objects with many members, a short list is searched faster.
    private var positions: [Name: Int]?

    private static let indexThreshold = 12

    /// A name by its bytes: Swift takes `é` and `e` with an accent for one text, to JSON they are two (RFC 8259, 8.3).
    private struct Name: Hashable {
        let text: String

        static func == (left: Name, right: Name) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    /// Makes an object.
    public init(_ members: [(String, JSON)] = []) {
        self.members = []
        self.members.reserveCapacity(members.count)
        for (name, value) in members { self[name] = value }
    }

    /// The value of a member; setting nil removes it, setting a new name appends it.
    public subscript(_ name: String) -> JSON? {
        get { position(of: name).map { members[$0].value } }
        set {
            switch (position(of: name), newValue) {
            case (let position?, let value?): members[position].value = value
            case (let position?, nil):
                members.remove(at: position)
                positions = nil
                indexIfLarge()
            case (nil, let value?):
                members.append((name, value))
                positions?[Name(text: name)] = members.count - 1
                indexIfLarge()
            case (nil, nil): break
            }
        }
    }

    /// The names in their order.
    public var names: [String] { members.map(\.name) }

    /// How many members there are.
    public var count: Int { members.count }

    private func position(of name: String) -> Int? {
        if let positions { return positions[Name(text: name)] }
        // The first comparison is the fast one, the second tells apart what Unicode holds for the same text.
        return members.firstIndex { $0.name == name && Name(text: $0.name) == Name(text: name) }
    }

    private mutating func indexIfLarge() {
        guard positions == nil, members.count > Self.indexThreshold else { return }
        positions = Dictionary(uniqueKeysWithValues: members.enumerated().map { (Name(text: $1.name), $0) })
    }
}

extension JSONObject: Hashable {
    /// Compares members by name, whatever their order (RFC 8259: an object is an unordered collection).
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.members.allSatisfy { right[$0.name] == $0.value }
    }

    /// Hashes the members, whatever their order.
    public func hash(into hasher: inout Hasher) {
        // A sum does not depend on the order. Values count, or a list of 10,000 alike objects would be one bucket.
        var sum = 0
        for (name, value) in members {
            var member = Hasher()
            member.combine(name)
            member.combine(value)
            sum &+= member.finalize()
        }
        hasher.combine(sum)
    }
}
