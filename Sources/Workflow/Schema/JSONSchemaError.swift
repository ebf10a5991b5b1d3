// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Why a schema is not one.
public struct JSONSchemaError: Error, Sendable, Hashable {
    /// Where in the schema, as a JSON Pointer.
    public var path: String
    /// What is wrong.
    public var message: String

    /// Makes an error.
    public init(path: String, message: String) {
        self.path = path
        self.message = message
    }
}

extension JSONSchemaError: CustomStringConvertible {
    /// Where and what.
    public var description: String { path.isEmpty ? "the schema \(message)" : "\(path) \(message)" }
}
