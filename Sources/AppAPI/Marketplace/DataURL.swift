// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A `data:` URL (RFC 2397).
struct DataURL: Sendable {
    let contentType: String
    let bytes: [UInt8]

    /// Whether text is meant as one that carries binary data.
    static func isMeant(_ text: String) -> Bool {
        guard text.hasPrefix("data:"), let comma = text.utf8.prefix(256).firstIndex(of: UInt8(ascii: ",")) else {
            return false
        }
        return text[..<comma].hasSuffix(";base64")
    }

    /// Decodes a URL; nil when it is not one.
    init?(_ text: String) {
        guard text.hasPrefix("data:"), let comma = text.firstIndex(of: ",") else { return nil }
        var head = text[text.index(text.startIndex, offsetBy: 5)..<comma]
        let body = text[text.index(after: comma)...]
        let isBase64 = head.hasSuffix(";base64")
        if isBase64 { head = head.dropLast(7) }
        guard let plain = Self.percentDecoded(Array(body.utf8)) else { return nil }
        if isBase64 {
            guard let decoded = Data(base64Encoded: Data(plain)) else { return nil }
            bytes = Array(decoded)
        } else {
            bytes = plain
        }
        contentType = head.isEmpty ? "text/plain;charset=US-ASCII" : String(head)
    }

    private static func percentDecoded(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.contains(UInt8(ascii: "%")) else { return bytes }
        var decoded: [UInt8] = []
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "%") else {
                decoded.append(bytes[index])
                index += 1
                continue
            }
            let digits = bytes.dropFirst(index + 1).prefix(2)
            // Two digits and nothing else: a number may begin with a sign, an escape may not.
            guard digits.count == 2, !digits.contains(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }),
                let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { return nil }
            decoded.append(byte)
            index += 3
        }
        return decoded
    }
}
