// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// JSON with references in it: `{ $ref: "detect#/faces" }` stands for what the pointer finds.
public indirect enum Template: Sendable, Hashable {
    /// A value as it is.
    case literal(JSON)
    /// A reference.
    case reference(Reference)
    /// A list of templates.
    case array([Template])
    /// Members that are templates.
    case object([Member])

    /// A member of an object template.
    public struct Member: Sendable, Hashable {
        /// The name.
        public var name: String
        /// The value.
        public var value: Template
    }
}

/// A reference into the request, a stage's output, its errors, the fan-out's item or its index.
public struct Reference: Sendable, Hashable {
    /// What a reference looks into.
    public enum Root: Sendable, Hashable {
        /// The request's payload: `request#`.
        case request
        /// The output of a stage: `detect#`.
        case stage(String)
        /// The errors of a fan-out's failed items: `embed!errors#`.
        case errors(String)
        /// The element of a fan-out: `item#`.
        case item
        /// The element's number: `index#`.
        case index
    }

    /// What it looks into.
    public var root: Root
    /// The JSON Pointer's tokens, unescaped (RFC 6901).
    public var tokens: [String]
}

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
}
