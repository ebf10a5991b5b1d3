// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The condition of a branch.
public struct Condition: Sendable, Hashable {
    /// How the referenced value is judged.
    public enum Test: Sendable, Hashable {
        /// It is there and neither null, false, 0, "" nor empty.
        case truthy
        /// It equals a value.
        case equals(JSON)
        /// It differs from a value.
        case notEquals(JSON)
        /// It is there (true) or not (false).
        case exists(Bool)
    }

    /// What is judged.
    public var reference: Reference
    /// How it is judged.
    public var test: Test

    /// Makes a condition.
    public init(reference: Reference, test: Test = .truthy) {
        self.reference = reference
        self.test = test
    }
}

extension Condition {
    /// Reads a condition: `{ $ref: "a#/b" }`, alone or with one of `equals`, `not_equals` and `exists`.
    ///
    /// - Throws: `ReferenceError` when it is none of these.
    public init(_ json: JSON) throws(ReferenceError) {
        let form = "write { $ref: \"stage#/field\" }, alone or with one of equals, not_equals and exists"
        guard let object = json.object, let text = object["$ref"]?.string else {
            throw ReferenceError(reference: json.text, reason: "is no condition; \(form)")
        }
        reference = try Reference(parsing: text)
        let others = object.members.filter { $0.name != "$ref" }
        guard let other = others.first else {
            test = .truthy
            return
        }
        guard others.count == 1 else {
            throw ReferenceError(reference: text, reason: "is judged in more than one way; \(form)")
        }
        switch other.name {
        case "equals": test = .equals(other.value)
        case "not_equals": test = .notEquals(other.value)
        case "exists":
            guard let wanted = other.value.bool else {
                throw ReferenceError(reference: text, reason: "has an 'exists' that is neither true nor false")
            }
            test = .exists(wanted)
        default: throw ReferenceError(reference: text, reason: "has the unknown member '\(other.name)'; \(form)")
        }
    }

    /// The condition as JSON that `Condition(_:)` reads back.
    public var json: JSON {
        var object = JSONObject([("$ref", .string(reference.description))])
        switch test {
        case .truthy: break
        case .equals(let value): object["equals"] = value
        case .notEquals(let value): object["not_equals"] = value
        case .exists(let wanted): object["exists"] = .bool(wanted)
        }
        return .object(object)
    }

    /// Tells whether it holds; a value that is not there is false, equals nothing and differs from everything.
    ///
    /// - Parameter lookup: what a root's value is, or nil when it has none; a skipped stage's is `null` and
    ///   does not exist.
    /// - Throws: what `lookup` throws.
    public func holds(_ lookup: Reference.Lookup) throws(ReferenceError) -> Bool {
        let root = try lookup(reference.root)
        let isSkipped = root.map(reference.isSkipped) ?? false
        let value = isSkipped ? .null : root.flatMap { reference.resolve(in: $0) }
        switch test {
        case .truthy: return value.map(Self.isTruthy) ?? false
        case .equals(let wanted): return value == wanted
        case .notEquals(let unwanted): return value != unwanted
        case .exists(let wanted): return (value != nil && !isSkipped) == wanted
        }
    }

    private static func isTruthy(_ value: JSON) -> Bool {
        switch value {
        case .null: false
        case .bool(let value): value
        case .number(let number): number.double != 0
        case .string(let text): !text.isEmpty
        case .array(let elements): !elements.isEmpty
        case .object(let object): object.count > 0
        }
    }
}
