// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto
internal import Plumbing

/// The tokens that are accepted, each with a name by which limits and logs know it; compared in constant time.
public struct NamedTokens: Sendable {
    private let digests: [(name: String, digest: SHA256Digest)]

    /// The name of a token that was given without one.
    public static let plainName = "default"

    /// Takes entries as they are configured: `name:token`, or a plain token.
    public init(_ entries: [String]) {
        digests = entries.map { entry in
            let (name, token) = Self.split(entry)
            return (name, SHA256.hash(data: Array(token.utf8)))
        }
    }

    /// Whether there are none.
    public var isEmpty: Bool { digests.isEmpty }

    /// The names, in their order.
    public var names: [String] { digests.map(\.name) }

    /// The name of a token that was shown; nil when it is not accepted.
    public func name(of token: some StringProtocol) -> String? {
        let digest = SHA256.hash(data: Array(token.utf8))
        // Digests have one length, and all are looked at in whole, so timing tells nothing of a token.
        return digests.reduce(nil) { found, candidate in
            let isEqual = candidate.digest == digest
            return isEqual && found == nil ? candidate.name : found
        }
    }

    /// The name of the token in an `Authorization` header's value, `Bearer <token>` or the raw token.
    public func name(ofAuthorization header: String) -> String? {
        let bare = header.lowercased().hasPrefix("bearer ") ? header.dropFirst(7) : header[...]
        return name(of: bare.drop { $0 == " " })
    }

    /// The name and the token of an entry: a name is up to 64 letters, digits, `-`, `_` and `.` before the first colon.
    public static func split(_ entry: String) -> (name: String, token: String) {
        guard let colon = entry.firstIndex(of: ":") else { return (plainName, entry) }
        let (name, token) = (entry[..<colon], entry[entry.index(after: colon)...])
        let isName =
            (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
        return isName && !token.isEmpty ? (String(name), String(token)) : (plainName, entry)
    }
}
