// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto

/// A file that a user uploads; its bytes follow from its name, which no other run uses.
struct PlannedOriginal: Sendable, Hashable {
    /// Who uploads it.
    let user: String
    /// The name that is asked for.
    let name: String

    /// Its bytes, some KiB.
    var bytes: [UInt8] {
        (0..<256).flatMap { Array(SHA256.hash(data: Array("\(name) \($0)".utf8))) }
    }

    /// SHA-256 of its bytes, in hex.
    var hash: String { Self.hash(bytes) }

    /// SHA-256 in hex.
    static func hash(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }
}
