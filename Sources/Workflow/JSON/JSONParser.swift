// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Why text is not JSON.
public struct JSONError: Error, Sendable, Hashable {
    /// Where, in bytes from the start.
    public var offset: Int
    /// What is wrong.
    public var message: String
}

extension JSON {
    /// Parses JSON text (RFC 8259).
    public init(parsing bytes: [UInt8], maxDepth: Int = 128) throws(JSONError) { throw JSONError(offset: 0, message: "") }
    /// The value as compact JSON text.
    public var bytes: [UInt8] { [] }
}
