// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient

extension RabbitSettings {
    /// Reads `amqp://user:password@host:port/vhost` or `amqps://…`, percent-decoded; what is missing has RabbitMQ's
    /// defaults.
    ///
    /// Parameters after `?`: `heartbeat` (seconds), `cacertfile` (a path) and `verify` (`verify_none` or
    /// `verify_peer`).
    ///
    /// - Throws: `BrokerError.misuse` that says what is wrong, without the password.
    public init(url: String) throws(BrokerError) {
        let isTLS = url.hasPrefix("amqps://")
        guard isTLS || url.hasPrefix("amqp://") else {
            throw BrokerError(.misuse, "the broker's URL must begin with amqp:// or amqps://")
        }
        self.init(tls: isTLS ? TLS() : nil)
        let withoutScheme = url.dropFirst(isTLS ? 8 : 7)
        let parts = withoutScheme.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let pathParts = parts[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if pathParts.count == 2 {
            vhost = try Self.decode(pathParts[1], as: "virtual host")
            // RabbitMQ's reading: no path is the default host, so is a bare slash for the sake of people.
            if vhost.isEmpty { vhost = "/" }
        }
        var authority = pathParts[0]
        if let at = authority.lastIndex(of: "@") {
            let login = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = try Self.decode(login[0], as: "user")
            password = login.count == 2 ? try Self.decode(login[1], as: "password") : ""
            authority = authority[authority.index(after: at)...]
        }
        try readServer(authority)
        if parts.count == 2 { try readParameters(parts[1]) }
    }

    private mutating func readServer(_ authority: Substring) throws(BrokerError) {
        var name = authority
        // An IPv6 address is in brackets, as its colons are not the port's.
        let afterAddress = authority.lastIndex(of: "]") ?? authority.startIndex
        if let colon = authority[afterAddress...].lastIndex(of: ":") {
            let text = authority[authority.index(after: colon)...]
            guard let number = Int(text), (1...65535).contains(number) else {
                throw BrokerError(.misuse, "the broker's URL has a bad port '\(text)': it must be 1 to 65535")
            }
            port = number
            name = authority[..<colon]
        }
        if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
        if !name.isEmpty { host = try Self.decode(name, as: "host") }
    }

    private mutating func readParameters(_ query: Substring) throws(BrokerError) {
        for parameter in query.split(separator: "&") {
            let pair = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = pair.count == 2 ? try Self.decode(pair[1], as: "parameter") : ""
            switch pair[0] {
            case "heartbeat":
                guard let seconds = Int(value), (1...3600).contains(seconds) else {
                    throw BrokerError(.misuse, "the broker's URL has a bad heartbeat: it must be 1 to 3600 seconds")
                }
                heartbeat = .seconds(seconds)
            case "cacertfile": tls?.caFile = value
            case "verify": tls?.verify = value != "verify_none" && value != "none"
            default: throw BrokerError(.misuse, "the broker's URL has an unknown parameter '\(pair[0])'")
            }
        }
    }

    private static func decode(_ text: Substring, as part: String) throws(BrokerError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard rest.count >= 2, digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16), value != 0
            else {
                throw BrokerError(.misuse, "the broker's URL has a bad percent sign in its \(part): write %25 for one")
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
