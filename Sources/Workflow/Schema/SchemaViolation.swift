// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What is wrong with a value: where, and what would be right.
public struct SchemaViolation: Sendable, Hashable {
    /// The wrong field as a JSON Pointer into the value; empty for the whole.
    public var path: String
    /// What is wrong and what would be right.
    public var message: String

    /// Makes a violation.
    public init(path: String, message: String) {
        self.path = path
        self.message = message
    }
}

extension SchemaViolation: CustomStringConvertible {
    /// Where and what.
    public var description: String { path.isEmpty ? "the whole \(message)" : "\(path) \(message)" }
}
