// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The members of a JSON object in their order; a name that stands twice counts with its last value.
public struct JSONObject: Sendable {
    /// The members, each name once.
    public private(set) var members: [(name: String, value: JSON)]
    /// Where each name stands; only kept for objects with many members, a short list is searched faster.
    private var positions: [JSONName: Int]?

    private static let indexThreshold = 12

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
                positions?[JSONName(text: name)] = members.count - 1
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
        if let positions { return positions[JSONName(text: name)] }
        return members.firstIndex { JSONName(text: $0.name) == JSONName(text: name) }
    }

    private mutating func indexIfLarge() {
        guard positions == nil, members.count > Self.indexThreshold else { return }
        positions = Dictionary(uniqueKeysWithValues: members.enumerated().map { (JSONName(text: $1.name), $0) })
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
