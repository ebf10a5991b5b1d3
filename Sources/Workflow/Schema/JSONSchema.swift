// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A JSON Schema (2020-12, the common keywords), compiled.
public struct JSONSchema: Sendable {
    /// The schema as it was written.
    public let source: JSON

    /// Compiles a schema.
    public init(_ source: JSON) throws(JSONSchemaError) {
        self.source = source
    }

    /// Validates a value; returns what is wrong with it, empty when nothing is.
    public func validate(_ value: JSON) -> [SchemaViolation] { [] }
}

/// What is wrong with a value: where, and what would be right.
public struct SchemaViolation: Sendable, Hashable {
    /// The wrong field as a JSON Pointer into the value; empty for the whole.
    public var path: String
    /// What is wrong and what would be right.
    public var message: String
}

/// Why a schema is not one.
public struct JSONSchemaError: Error, Sendable {
    /// Where in the schema, as a JSON Pointer.
    public var path: String
    /// What is wrong.
    public var message: String
}
