// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The origin of a URL: scheme, host and port, in lower case and with the scheme's default port filled in.
public struct URLOrigin: Sendable, Hashable {
    /// `http` or `https`.
    public let scheme: String
    /// The name or address.
    public let host: String
    /// The port, given or the scheme's own.
    public let port: Int

    /// The origin of an absolute `http` or `https` URL without user info and in plain ASCII; nil of anything else.
    public init?(_ text: String) {
        // Two readers might not agree on what an encoded host says, and an origin decides who gets the token.
        let authority = text.prefix { $0 != "?" && $0 != "#" }.split(separator: "/").dropFirst().first ?? ""
        guard !text.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F || $0 == 0x5C }), text.utf8.count <= 2048,
            !authority.contains("%"), let url = URL(string: text),
            let scheme = url.scheme?.lowercased(), scheme == "http" || scheme == "https",
            let host = url.host?.lowercased(), !host.isEmpty, url.user == nil, url.password == nil
        else { return nil }
        self.scheme = scheme
        self.host = host
        port = url.port ?? (scheme == "https" ? 443 : 80)
    }
}
