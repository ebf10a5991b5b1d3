// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Why a file of tokens can't be used; it never tells a token.
public struct TokensError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file, the line where there is one, and what would be right.
    public let description: String

    /// Makes an error.
    public init(_ description: String) {
        self.description = description
    }
}
