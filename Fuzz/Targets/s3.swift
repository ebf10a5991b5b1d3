// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Crypto
import Foundation
import MediaStore
import Plumbing

@testable import MediaStoreS3

/// Signature Version 4, against a second implementation that is written by the text of Amazon's documentation, in bytes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzS3(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.run(start, count) { bytes in
        var choices = Choices(bytes)
        let settings = S3Settings(
            endpoint: choices.one(of: endpoints),
            region: choices.one(of: ["us-east-1", "eu-central-1"]),
            bucket: "bucket",
            accessKey: "AKIAIOSFODNN7EXAMPLE",
            secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            sessionToken: choices.byte() & 1 == 0 ? nil : "token/+=",
            usesPathStyle: choices.byte() & 1 == 0
        )
        let signer = S3Signer(
            region: settings.region,
            accessKey: settings.accessKey,
            secretKey: settings.secretKey,
            sessionToken: settings.sessionToken
        )
        // From 1970 on, for a thousand years.
        let moment = Timestamp(microseconds: Int64(choices.whole() % 31_556_952_000_000_000))
        Fuzz.same(S3Signer.stamp(moment), stamp(moment), "the stamp of \(moment.microseconds)")
        let query = (0..<choices.number(below: 4)).map { _ in
            (
                name: choices.text(["uploads", "partNumber", "a", "A", "é"]),
                value: choices.text(["", "1", "a b", "+", "%"])
            )
        }
        let extra = (0..<choices.number(below: 4)).map { _ in
            (name: choices.one(of: headers), value: header(choices.text(["a  b", " a ", "bytes=0-9", "image/png"])))
        }
        let key = choices.text(["a/b c", "originals/ä.png", "a//b", "~", "a%2Fb"])
        paths(key)
        let address = settings.address(of: key)
        let all = [("host", address.host)] + extra
        let signed = signer.headers(
            method: "PUT",
            path: address.path,
            query: query,
            headers: all,
            payloadHash: S3Signer.unsignedPayload,
            at: moment
        )
        let oracle = Oracle(settings: settings, moment: moment)
        Fuzz.same(
            signed.last?.value,
            oracle.authorization("PUT", address.path, query, Array(signed.dropLast())),
            "the authorization"
        )
        Fuzz.same(S3Signer.encoded(query.reversed()), S3Signer.encoded(query), "the query in another order")
    }
}

private let endpoints = [
    "https://s3.amazonaws.com", "http://127.0.0.1:9000", "http://[::1]:9000/", "https://s3.example:443/prefix",
    "minio:80",
]
private let headers = ["range", "content-type", "Content-Type", "x-amz-copy-source", "if-match", "X-Amz-Meta-A"]

/// A header's value as the signer is given it: without control characters, in ASCII.
private func header(_ text: String) -> String {
    String(decoding: text.utf8.map { $0 < 0x20 || $0 > 0x7E ? 0x20 : $0 }, as: UTF8.self)
}

/// What percent encoding must keep to, and what keys must never lead to.
private func paths(_ text: String) {
    for keeps in [true, false] {
        let encoded = MediaNaming.percentEncoded(text, keepingSlashes: keeps)
        Fuzz.same(MediaNaming.percentDecoded(encoded).map { Array($0.utf8) }, Array(text.utf8), "the text decoded")
        let allowed = encoded.utf8.allSatisfy { $0 == 0x25 || $0 == 0x2F && keeps || isUnreserved($0) }
        Fuzz.require(allowed, "\(encoded) holds what must be encoded")
    }
    guard let reference = MediaReference("s3://bucket/" + text) else { return }
    Fuzz.same(MediaReference(reference.description), reference, "the reference after a round trip")
    for segment in reference.key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
        let isPlain = !segment.isEmpty && !segment.elementsEqual(".".utf8) && !segment.elementsEqual("..".utf8)
        Fuzz.require(isPlain, "the key \(reference.key) leads elsewhere")
    }
}

private func isUnreserved(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        || "-._~".utf8.contains(byte)
}

private func stamp(_ moment: Timestamp) -> String {
    var seconds = time_t(moment.microseconds / 1_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    strftime(&text, text.count, "%Y%m%dT%H%M%SZ", &parts)
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Signature Version 4 once more.
private struct Oracle {
    let settings: S3Settings
    let moment: Timestamp

    func authorization(
        _ method: String,
        _ path: String,
        _ query: [(name: String, value: String)],
        _ headers: [(name: String, value: String)]
    ) -> String {
        let pairs = query.map { (Array(encode($0.name).utf8), Array(encode($0.value).utf8)) }
        let sorted = pairs.sorted {
            $0.0 == $1.0 ? $0.1.lexicographicallyPrecedes($1.1) : $0.0.lexicographicallyPrecedes($1.0)
        }
        let canonicalQuery = sorted.map { $0.0 + [0x3D] + $0.1 }.joined(separator: [0x26])
        var names: [String] = []
        for header in headers where !names.contains(header.name.lowercased()) { names.append(header.name.lowercased()) }
        names.sort { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        var lines = ""
        for name in names {
            let values = headers.filter { $0.name.lowercased() == name }.map { trimmed($0.value) }
            lines += "\(name):\(values.joined(separator: ","))\n"
        }
        let signed = names.joined(separator: ";")
        let request =
            Array("\(method)\n\(path)\n".utf8) + canonicalQuery + Array("\n\(lines)\n\(signed)\nUNSIGNED-PAYLOAD".utf8)
        let date = String(stamp(moment).prefix { $0 != "T" })
        let scope = "\(date)/\(settings.region)/s3/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(stamp(moment))\n\(scope)\n\(hexadecimal(SHA256.hash(data: Data(request))))"
        var key = Data("AWS4\(settings.secretKey)".utf8)
        for part in [date, settings.region, "s3", "aws4_request", text] {
            key = Data(HMAC<SHA256>.authenticationCode(for: Data(part.utf8), using: SymmetricKey(data: key)))
        }
        return "AWS4-HMAC-SHA256 Credential=\(settings.accessKey)/\(scope),SignedHeaders=\(signed),"
            + "Signature=\(hexadecimal(key))"
    }

    private func encode(_ text: String) -> String {
        text.utf8.map { isUnreserved($0) ? String(UnicodeScalar($0)) : String(format: "%%%02X", $0) }.joined()
    }

    /// No blanks at the ends, and one where there were several.
    private func trimmed(_ text: String) -> String {
        text.components(separatedBy: " ").filter { !$0.isEmpty }.joined(separator: " ")
    }

    private func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String(format: "%02x", $0) }.joined()
    }
}
