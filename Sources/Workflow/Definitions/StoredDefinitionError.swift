// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Why a stored definition could not be read back.
public struct StoredDefinitionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong with it.
    public let reason: String

    /// Makes an error.
    public init(reason: String) {
        self.reason = reason
    }

    /// What is wrong with it.
    public var description: String { "a stored workflow definition can't be read: \(reason)" }
}
