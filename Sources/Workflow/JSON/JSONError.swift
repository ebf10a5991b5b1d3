// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Why text is not JSON.
public struct JSONError: Error, Sendable, Hashable {
    /// Where, in bytes from the start.
    public var offset: Int
    /// What is wrong.
    public var message: String

    /// Makes an error.
    public init(offset: Int, message: String) {
        self.offset = offset
        self.message = message
    }
}

extension JSONError: CustomStringConvertible {
    /// What is wrong and where.
    public var description: String { "\(message) (at byte \(offset))" }
}
