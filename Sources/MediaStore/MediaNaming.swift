// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What the adapters share about names and texts.
public enum MediaNaming {
    /// The key of an original: `originals/<sha256><.ext>`.
    public static func original(sha256: String, contentType: String) -> String {
        "originals/\(sha256)\(suffix(of: contentType))"
    }

    /// Encodes a text for a URL (RFC 3986): all but unreserved characters; slashes stay when asked.
    public static func percentEncoded(_ text: String, keepingSlashes: Bool) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: bytes.append(byte)
            case 0x2F where keepingSlashes: bytes.append(byte)
            default: bytes += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Decodes `%41` and the like; nil when it is not properly encoded or not UTF-8.
    public static func percentDecoded(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            guard byte == 0x25 else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next().flatMap(value), let low = rest.next().flatMap(value) else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Whether a text may stand in a header as it is: printable ASCII of at most 255 bytes.
    public static func isHeaderValue(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 255 && text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    }

    /// Bytes in lower-case hexadecimal.
    public static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes { text += [lowDigits[Int(byte >> 4)], lowDigits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    /// What a stream of bytes failed with, as an error of this port.
    public static func error(from error: any Error) -> MediaError {
        if let error = error as? MediaError { return error }
        if error is CancellationError { return MediaError(.unavailable, "the caller was cancelled") }
        return MediaError(.unavailable, "the source of the bytes broke off: \(error)")
    }

    private static let digits = Array("0123456789ABCDEF".utf8)
    private static let lowDigits = Array("0123456789abcdef".utf8)

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x37
        case 0x61...0x66: digit - 0x57
        default: nil
        }
    }

    private static func suffix(of contentType: String) -> String {
        let type = contentType.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
        return suffixes[type] ?? ""
    }

    private static let suffixes = [
        "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif", "image/bmp": ".bmp",
        "image/tiff": ".tiff", "video/mp4": ".mp4", "video/webm": ".webm", "audio/mpeg": ".mp3", "audio/wav": ".wav",
        "audio/x-wav": ".wav", "audio/ogg": ".ogg", "audio/flac": ".flac", "application/json": ".json",
        "application/pdf": ".pdf", "text/plain": ".txt",
    ]
}
