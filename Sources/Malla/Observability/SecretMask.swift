// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Foundation
import Workflow

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Blots secrets out of what is written for people: the values of the secret variables, passwords in URLs, signatures
/// of presigned URLs.
///
/// No message is meant to hold one; this catches the words of libraries, servers and handlers that do.
struct SecretMask: Sendable {
    /// What stands in a secret's place.
    static let blot = "***"
    /// A mask that knows no values.
    static let none = SecretMask(values: [])

    /// Shorter values are also words: a message is of no use without them, and such a secret is none.
    private static let shortest = 8
    private let secrets: [String]

    /// Takes the secret variables of a configuration, and what the file of tokens holds now.
    init(configuration: MeshConfiguration) {
        // A file that can't be read ends the role a moment later, with its own words.
        let file = try? configuration.tokensFile()
        let tokens = TokensFile.List.allCases.flatMap { file?.entries($0) ?? [] }
        self.init(values: Setting.secrets.compactMap { configuration.text($0) } + tokens)
    }

    /// Takes values as they are configured: single ones, lists with commas, `name:token`, and URLs with a password.
    init(values: some Sequence<String>) {
        var found: Set<String> = []
        for value in values {
            if value.contains("://") {
                for secret in Self.secrets(in: value) {
                    found.formUnion([secret, secret.removingPercentEncoding ?? secret])
                }
                continue
            }
            found.insert(value)
            for part in value.split(separator: ",") {
                let entry = part.trimmingCharacters(in: .whitespaces)
                found.insert(entry)
                // A name ends at the first colon, and a token may hold others; who takes the last one is safe too.
                for colon in [entry.firstIndex(of: ":"), entry.lastIndex(of: ":")].compactMap(\.self) {
                    found.insert(String(entry[entry.index(after: colon)...]))
                }
            }
        }
        found = found.filter { $0.utf8.count >= Self.shortest }
        // Lines of JSON hold quotes and backslashes escaped.
        found.formUnion(found.map(Self.escaped))
        // The longest first: one secret may be a part of another.
        secrets = found.sorted { $0.count > $1.count }
    }

    /// The text without secrets.
    func masked(_ text: String) -> String {
        var text = text
        for secret in secrets where Self.contains(text, secret) { text = text.replacing(secret, with: Self.blot) }
        if Self.contains(text, "://") { text = Self.withoutPasswords(text) }
        if Self.contains(text, "X-Amz-Signature=") { text = Self.withoutSignatures(text) }
        return text
    }

    private static func escaped(_ secret: String) -> String {
        String(decoding: JSON.string(secret).bytes.dropFirst().dropLast(), as: UTF8.self)
    }

    private static func contains(_ text: String, _ part: String) -> Bool {
        // C strings end at a zero byte; without one this is by far the fastest way.
        guard !text.utf8.contains(0) else { return text.contains(part) }
        return text.withCString { whole in part.withCString { strstr(whole, $0) != nil } }
    }

    /// The password of a URL, the parts of one that holds an @, and the values of its query; of a server's URL those
    /// that are passwords, because the others are words (`sslmode=verify-full`).
    private static func secrets(in url: String) -> [String] {
        let password = password(in: url).map { [$0] + $0.split(separator: "@").map(String.init) } ?? []
        let query = url.split(separator: "?", maxSplits: 1).dropFirst().first ?? ""
        let isOfTheWeb = url.lowercased().hasPrefix("http")
        let values = query.split(separator: "&").compactMap { member -> Substring? in
            let parts = member.split(separator: "=", maxSplits: 1)
            return isOfTheWeb || parts.first?.lowercased().contains("password") == true ? parts.last : nil
        }
        return password + values.map(String.init)
    }

    /// The password of `scheme://user:password@host`; nil when this is no URL or has none.
    private static func password(in url: String) -> String? {
        guard let scheme = url.range(of: "://") else { return nil }
        let authority = url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
        guard let at = authority.lastIndex(of: "@") else { return nil }
        let user = authority[..<at]
        guard let colon = user.firstIndex(of: ":") else { return nil }
        return String(user[user.index(after: colon)...])
    }

    private static func withoutPasswords(_ text: String) -> String {
        var parts = text.components(separatedBy: "://")
        for index in parts.indices.dropFirst() {
            let authority = parts[index].prefix { !"/?# \"'".contains($0) }
            guard let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") else {
                continue
            }
            parts[index] = parts[index][...colon] + blot + parts[index][at...]
        }
        return parts.joined(separator: "://")
    }

    private static func withoutSignatures(_ text: String) -> String {
        let parts = text.components(separatedBy: "X-Amz-Signature=")
        return ([parts[0]] + parts.dropFirst().map { blot + $0.drop { $0.isHexDigit } })
            .joined(separator: "X-Amz-Signature=")
    }
}

extension MeshConfiguration {
    /// Takes the secrets out of the environment as the system shows it (`/proc/PID/environ`), which handlers of the
    /// same user can read; said once all settings have been read.
    func forgetEnvironment() {
        for name in Setting.secrets {
            guard let value = getenv(name) else { continue }
            memset(value, 0, strlen(value))
        }
    }
}
