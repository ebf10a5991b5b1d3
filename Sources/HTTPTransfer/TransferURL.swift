// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The parts of an absolute URL that decide where a request goes.
struct TransferURL {
    /// The host in lower case, without the brackets of an IPv6 address.
    let host: String
    /// The port, given or the scheme's own.
    let port: UInt16
    /// Host and port as written, for messages.
    let authority: String

    init(_ url: String) throws(TransferError) {
        guard url.utf8.count <= 16_384, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x5C }) else {
            throw TransferError(.invalid, "the URL has characters that must be percent-encoded, or is too long")
        }
        guard let colon = url.firstIndex(of: ":"), ["http", "https"].contains(url[..<colon].lowercased()),
            url[colon...].hasPrefix("://")
        else { throw TransferError(.invalid, "the URL must begin with http:// or https://") }
        let rest = url[url.index(colon, offsetBy: 3)...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@") else { throw TransferError(.invalid, "the URL must not hold credentials") }
        let (host, port) = try Self.parts(of: authority)
        self.port = port ?? (url[..<colon].lowercased() == "https" ? 443 : 80)
        self.host = host.lowercased()
        self.authority = String(authority)
    }

    private static func parts(of authority: Substring) throws(TransferError) -> (host: Substring, port: UInt16?) {
        var host = authority
        var port = Substring()
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[authority.index(after: authority.startIndex)..<end]
            port = authority[authority.index(after: end)...]
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            port = authority[colon...]
        }
        guard !host.isEmpty else { throw TransferError(.invalid, "the URL has no host") }
        let digits = port.dropFirst()
        guard port.isEmpty || (port.hasPrefix(":") && (digits.isEmpty || UInt16(digits) != nil)) else {
            throw TransferError(.invalid, "the URL has no proper port")
        }
        return (host, UInt16(digits))
    }
}
