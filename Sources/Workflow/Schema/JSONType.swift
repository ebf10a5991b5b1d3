// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The types that a schema's `type` may name.
struct JSONType: OptionSet, Sendable, Hashable {
    let rawValue: UInt8

    static let null = JSONType(rawValue: 1)
    static let boolean = JSONType(rawValue: 2)
    static let integer = JSONType(rawValue: 4)
    /// A number with a fraction; `number` in a schema is this and `integer`.
    static let fraction = JSONType(rawValue: 8)
    static let string = JSONType(rawValue: 16)
    static let array = JSONType(rawValue: 32)
    static let object = JSONType(rawValue: 64)
    static let number: JSONType = [.integer, .fraction]

    /// The types by the names that schemas use.
    static let named: [(name: String, type: JSONType)] = [
        ("null", .null), ("boolean", .boolean), ("integer", .integer), ("number", .number),
        ("string", .string), ("array", .array), ("object", .object),
    ]

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The type of that name in a schema.
    init?(name: String) {
        guard let named = Self.named.first(where: { $0.name == name }) else { return nil }
        self = named.type
    }

    /// The type of a value.
    init(of value: JSON) {
        switch value {
        case .null: self = .null
        case .bool: self = .boolean
        case .number(let number): self = number.isWhole ? .integer : .fraction
        case .string: self = .string
        case .array: self = .array
        case .object: self = .object
        }
    }

    /// The types as a person reads them: `a string or null`.
    var text: String {
        var names: [String] = []
        if contains(.string) { names.append("a string") }
        if isSuperset(of: .number) {
            names.append("a number")
        } else if contains(.integer) {
            names.append("a whole number")
        } else if contains(.fraction) {
            names.append("a number with a fraction")
        }
        if contains(.boolean) { names.append("true or false") }
        if contains(.array) { names.append("a list") }
        if contains(.object) { names.append("an object") }
        if contains(.null) { names.append("null") }
        return names.joined(separator: " or ")
    }
}

extension JSONNumber {
    /// Whether the value has no fraction: `3`, `3.0`, `3e2`.
    var isWhole: Bool {
        let isPlain = text.utf8.allSatisfy { $0 != UInt8(ascii: ".") && $0 | 0x20 != UInt8(ascii: "e") }
        return isPlain || double == double.rounded()
    }
}
