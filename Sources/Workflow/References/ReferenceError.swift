// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Why a reference could not be read or found nothing.
public struct ReferenceError: Error, Sendable, Hashable {
    /// The reference as it was written: `detect#/faces/0`.
    public let reference: String
    /// What is wrong with it.
    public let reason: String

    /// Makes an error.
    public init(reference: String, reason: String) {
        self.reference = reference
        self.reason = reason
    }
}

extension ReferenceError: CustomStringConvertible {
    /// The reference and what is wrong with it.
    public var description: String { "'\(reference)' \(reason)" }
}
