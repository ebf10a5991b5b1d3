// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto
internal import Foundation
internal import MediaStore
public import Plumbing

/// Signs requests to S3 with AWS Signature Version 4.
///
/// Pure: no I/O, no clock.
public struct S3Signer: Sendable {
    /// The hash to name when the body is not hashed, which only TLS makes safe.
    public static let unsignedPayload = "UNSIGNED-PAYLOAD"

    private let region: String
    private let accessKey: String
    private let secretKey: String
    private let sessionToken: String?

    /// Makes a signer for one set of credentials and a region.
    public init(region: String, accessKey: String, secretKey: String, sessionToken: String? = nil) {
        self.region = region
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
    }

    /// The headers to send: those given, with the date, the payload's hash, the token and the signature.
    ///
    /// - Parameters:
    ///   - path: the URL's path, percent-encoded as it is sent.
    ///   - query: names and values, not encoded.
    ///   - headers: what is signed beside the signer's own; `host` must be among them. A name may come repeatedly.
    ///   - payloadHash: the SHA-256 of the body in hexadecimal, or ``unsignedPayload``.
    public func headers(
        method: String,
        path: String,
        query: [(name: String, value: String)],
        headers: [(name: String, value: String)],
        payloadHash: String,
        at moment: Timestamp
    ) -> [(name: String, value: String)] {
        let stamp = Self.stamp(moment)
        var all = headers + [("x-amz-content-sha256", payloadHash), ("x-amz-date", stamp)]
        if let sessionToken { all.append(("x-amz-security-token", sessionToken)) }
        let canonical = Self.canonical(method, path, query, all, payloadHash)
        let credential = "\(accessKey)/\(scope(stamp))"
        let value =
            "AWS4-HMAC-SHA256 Credential=\(credential),SignedHeaders=\(canonical.signed),"
            + "Signature=\(signature(of: canonical.request, stamp))"
        all.append(("authorization", value))
        return all
    }

    /// The query, encoded, that makes a URL usable by anyone until it expires.
    ///
    /// - Parameter seconds: how long, 1 to 604,800.
    public func presignedQuery(
        method: String,
        path: String,
        host: String,
        seconds: Int,
        at moment: Timestamp
    ) -> String {
        let stamp = Self.stamp(moment)
        var query = [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", "\(accessKey)/\(scope(stamp))"),
            ("X-Amz-Date", stamp), ("X-Amz-Expires", String(seconds)), ("X-Amz-SignedHeaders", "host"),
        ]
        if let sessionToken { query.append(("X-Amz-Security-Token", sessionToken)) }
        let canonical = Self.canonical(method, path, query, [("host", host)], Self.unsignedPayload)
        return "\(Self.encoded(query))&X-Amz-Signature=\(signature(of: canonical.request, stamp))"
    }

    static func encoded(_ query: [(name: String, value: String)]) -> String {
        query
            .map {
                (
                    MediaNaming.percentEncoded($0.name, keepingSlashes: false),
                    MediaNaming.percentEncoded($0.value, keepingSlashes: false)
                )
            }
            .sorted { $0 < $1 }
            .map { "\($0.0)=\($0.1)" }
            .joined(separator: "&")
    }

    private static func canonical(
        _ method: String,
        _ path: String,
        _ query: [(name: String, value: String)],
        _ headers: [(name: String, value: String)],
        _ payloadHash: String
    ) -> (request: String, signed: String) {
        // A repeated header is one line with its values in the order they are sent.
        let values = Dictionary(grouping: headers) { $0.name.lowercased() }
            .mapValues { $0.map { squeezed($0.value) }.joined(separator: ",") }
        let sorted = values.sorted { $0.key < $1.key }
        let signed = sorted.map(\.key).joined(separator: ";")
        let lines = sorted.map { "\($0.key):\($0.value)\n" }.joined()
        return ("\(method)\n\(path)\n\(encoded(query))\n\(lines)\n\(signed)\n\(payloadHash)", signed)
    }

    private static func squeezed(_ value: String) -> String {
        value.split { $0 == " " || $0 == "\t" }.joined(separator: " ")
    }

    private func scope(_ stamp: String) -> String { "\(stamp.prefix(8))/\(region)/s3/aws4_request" }

    private func signature(of request: String, _ stamp: String) -> String {
        let hash = MediaNaming.hexadecimal(SHA256.hash(data: Data(request.utf8)))
        let text = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope(stamp))\n\(hash)"
        var key = SymmetricKey(data: Data("AWS4\(secretKey)".utf8))
        for part in [String(stamp.prefix(8)), region, "s3", "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Data(part.utf8), using: key))
        }
        return MediaNaming.hexadecimal(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key))
    }

    /// The form: `20130524T000000Z`.
    static func stamp(_ moment: Timestamp) -> String {
        let seconds = moment.microseconds / 1_000_000
        // Days to a date by Howard Hinnant's "civil_from_days", which needs neither calendar nor locale.
        let shifted = seconds / 86_400 + 719_468
        let era = shifted / 146_097
        let day = shifted - era * 146_097
        let yearOfEra = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let rest = seconds % 86_400
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : String(number) }
        return "\(year)\(two(month))\(two(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1))T"
            + "\(two(rest / 3600))\(two(rest / 60 % 60))\(two(rest % 60))Z"
    }
}
