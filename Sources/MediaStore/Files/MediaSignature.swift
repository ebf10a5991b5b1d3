// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto
internal import Foundation
internal import MediaStore
internal import Plumbing

/// Makes and checks URLs that carry the right to read or write one key until a moment.
struct MediaSignature: Sendable {
    private let base: String
    private let bucket: String
    private let secret: SymmetricKey

    init(base: String, bucket: String, secret: [UInt8]) {
        var base = base
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
        self.bucket = bucket
        self.secret = SymmetricKey(data: secret)
    }

    func url(method: String, key: String, expiresIn: Duration, now: Timestamp) throws(MediaError) -> String {
        guard MediaReference.isKey(key) else { throw MediaError(.invalid, "the key is not a proper one") }
        guard expiresIn >= .seconds(1), expiresIn <= .seconds(604_800) else {
            throw MediaError(.invalid, "a presigned URL lasts 1 second to 7 days")
        }
        let expires = (now + expiresIn).microseconds / 1_000_000
        let code = HMAC<SHA256>.authenticationCode(for: Data(text(method, key, expires).utf8), using: secret)
        let path = "/media/\(bucket)/\(MediaNaming.percentEncoded(key, keepingSlashes: true))"
        return "\(base)\(path)?expires=\(expires)&signature=\(MediaNaming.hexadecimal(code))&method=\(method)"
    }

    func verify(
        method: String,
        path: String,
        query: String,
        now: Timestamp
    ) throws(MediaError) -> MediaReference {
        let prefix = "/media/\(bucket)/"
        guard path.hasPrefix(prefix), let key = MediaNaming.percentDecoded(path.dropFirst(prefix.count)),
            MediaReference.isKey(key)
        else { throw MediaError(.invalid, "the path names no media of this store") }
        var values: [Substring: Substring] = [:]
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, values.updateValue(parts[1], forKey: parts[0]) == nil else {
                throw MediaError(.refused, "the URL's query is not one that this server made")
            }
        }
        let signed = values["method"].map(String.init) ?? ""
        guard let expires = values["expires"].flatMap({ Int64($0) }), let code = Self.bytes(values["signature"] ?? ""),
            HMAC<SHA256>.isValidAuthenticationCode(
                code,
                authenticating: Data(text(signed, key, expires).utf8),
                using: secret
            )
        else { throw MediaError(.refused, "the URL's signature is wrong") }
        // Whoever may read may also ask for the head alone.
        guard method == signed || (method == "HEAD" && signed == "GET") else {
            throw MediaError(.refused, "the URL is signed for \(signed)")
        }
        guard now.microseconds / 1_000_000 < expires else { throw MediaError(.refused, "the URL has expired") }
        return MediaReference(bucket: bucket, key: key)
    }

    private func text(_ method: String, _ key: String, _ expires: Int64) -> String {
        "\(method)\n\(bucket)\n\(key)\n\(expires)"
    }

    private static func bytes(_ text: Substring) -> [UInt8]? {
        guard text.utf8.count == 64 else { return nil }
        let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == 64 else { return nil }
        return stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
