// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// Any value as JSON, by what its type is made of: for people who read a history afterwards.
///
/// A member that a type gets later is written too, without a word here.
enum ReflectedJSON {
    /// Structs become objects by the names of their properties, enums their raw values or cases; absent values are null.
    static func of(_ value: Any) -> JSON {
        switch value {
        case let json as JSON: return json
        case let text as String: return .string(text)
        case let flag as Bool: return .bool(flag)
        case let number as Double: return .number(JSONNumber(number))
        case let number as Int: return .number(JSONNumber(number))
        // Beyond 2^53 a number would not be read back as it is.
        case let number as any BinaryInteger: return .string("\(number)")
        case let word as any RawRepresentable: return of(word.rawValue)
        default: return parts(of: Mirror(reflecting: value), else: "\(value)")
        }
    }

    private static func parts(of mirror: Mirror, else text: String) -> JSON {
        let values = mirror.children.map(\.value)
        switch mirror.displayStyle {
        case .optional: return values.first.map(of) ?? .null
        case .collection: return .array(values.map(of))
        case .set: return .array(values.map(of).sorted { $0.text < $1.text })
        case .dictionary:
            let pairs = values.map { Mirror(reflecting: $0).children.map(\.value) }.filter { $0.count == 2 }
            return object(pairs.map { ("\($0[0])", of($0[1])) }.sorted { $0.0 < $1.0 })
        case .enum where mirror.children.isEmpty: return .string(text)
        default: return object(mirror.children.map { ($0.label ?? "", of($0.value)) })
        }
    }

    private static func object(_ members: [(String, JSON)]) -> JSON {
        var object = JSONObject()
        for (name, value) in members { object[name] = value }
        return .object(object)
    }
}
