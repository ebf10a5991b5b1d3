// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto
internal import Plumbing

/// The tokens that are accepted, each with a name by which limits and logs know it; compared in constant time.
public struct NamedTokens: Sendable {
    /// Who shows a token.
    public struct Holder: Sendable, Hashable {
        /// The token's name.
        public var name: String
        /// The apps that the token opens; nil for all.
        public var apps: Set<String>?

        /// Makes a holder.
        public init(name: String, apps: Set<String>? = nil) {
            self.name = name
            self.apps = apps
        }

        /// Whether the token opens this app.
        public func opens(_ app: String) -> Bool { apps?.contains(app) ?? true }
    }

    private let entries: [(holder: Holder, digest: SHA256Digest)]

    /// The name of a token that was given without one.
    public static let plainName = "default"

    /// Takes entries as they are configured: `name:token`, or a plain token.
    ///
    /// - Parameter scoped: whether `name@app:token` is a token for that app alone; else it is a plain token, and so
    ///   never one that opens more than was meant.
    public init(_ entries: [String], scoped: Bool = false) {
        self.entries = entries.map { entry in
            let (holder, token) = Self.read(entry, scoped: scoped)
            return (holder, SHA256.hash(data: Array(token.utf8)))
        }
    }

    /// Whether there are none.
    public var isEmpty: Bool { entries.isEmpty }

    /// The names, in their order.
    public var names: [String] { entries.map(\.holder.name) }

    /// Who has the token that was shown; nil when it is not accepted.
    public func holder(of token: some StringProtocol) -> Holder? {
        let digest = SHA256.hash(data: Array(token.utf8))
        // Digests have one length, and all are looked at in whole, so timing tells nothing of a token.
        return entries.reduce(nil) { found, candidate in
            let isEqual = candidate.digest == digest
            return isEqual && found == nil ? candidate.holder : found
        }
    }

    /// The name of a token that was shown; nil when it is not accepted.
    public func name(of token: some StringProtocol) -> String? { holder(of: token)?.name }

    /// The name of the token in an `Authorization` header's value, `Bearer <token>` or the raw token.
    public func name(ofAuthorization header: String) -> String? {
        let bare = header.lowercased().hasPrefix("bearer ") ? header.dropFirst(7) : header[...]
        return name(of: bare.drop { $0 == " " })
    }

    /// The name and the token of an entry: a name is up to 64 letters, digits, `-`, `_` and `.` before the first colon.
    ///
    /// - Parameter scoped: whether the name may be followed by `@` and the app that the token opens, or several with
    ///   `+` between them.
    public static func split(_ entry: String, scoped: Bool = false) -> (name: String, token: String) {
        let (holder, token) = read(entry, scoped: scoped)
        return (holder.name, token)
    }

    /// The first token of a list that opens an app, as it is sent; nil when none does.
    public static func first(of entries: [String], opening app: String) -> String? {
        for entry in entries {
            let (holder, token) = read(entry, scoped: true)
            if holder.opens(app) { return token }
        }
        return nil
    }

    private static func read(_ entry: String, scoped: Bool) -> (holder: Holder, token: String) {
        let plain = (Holder(name: plainName), entry)
        guard let colon = entry.firstIndex(of: ":") else { return plain }
        let token = entry[entry.index(after: colon)...]
        var name = entry[..<colon]
        var apps: Set<String>?
        if scoped, let at = name.firstIndex(of: "@") {
            let parts = name[name.index(after: at)...].split(separator: "+", omittingEmptySubsequences: false)
            guard parts.allSatisfy(isName) else { return plain }
            apps = Set(parts.map(String.init))
            name = name[..<at]
        }
        return isName(name) && !token.isEmpty ? (Holder(name: String(name), apps: apps), String(token)) : plain
    }

    private static func isName(_ text: Substring) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
