// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The formats that are checked, simply: they find what is certainly wrong.
enum SchemaFormat: String, Sendable, CaseIterable {
    case uri
    case uuid
    case email
    case dateTime = "date-time"
    case date

    /// Formats that a schema may name and nobody checks here: those of JSON Schema, and `media`, which marks a
    /// string as a media reference for whoever resolves it.
    static let annotations: Set<String> = [
        "media",
        "time", "duration", "hostname", "idn-hostname", "idn-email", "ipv4", "ipv6", "uri-reference", "iri",
        "iri-reference", "uri-template", "json-pointer", "relative-json-pointer", "regex",
    ]

    /// What a right value looks like.
    var example: String {
        switch self {
        case .uri: "a URI such as https://example.com/a"
        case .uuid: "a UUID such as 6b1e5f0c-1d2a-4c57-9c1e-0f4a2f3f9c11"
        case .email: "an e-mail address such as someone@example.com"
        case .dateTime: "a moment such as 2026-11-21T09:30:00Z"
        case .date: "a date such as 2026-11-21"
        }
    }

    func accepts(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        switch self {
        case .uri: return Self.isURI(bytes)
        case .uuid: return Self.matches(bytes[...], "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
        case .email: return Self.isEmail(bytes)
        case .dateTime: return Self.isDateTime(bytes)
        case .date: return bytes.count == 10 && Self.isDate(bytes[...])
        }
    }

    private static func isURI(_ bytes: [UInt8]) -> Bool {
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0, isLetter(bytes[0]) else { return false }
        let isScheme = bytes[..<colon].allSatisfy {
            isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
        }
        let forbidden = Set("<>\"{}|\\^`".utf8)
        return isScheme && bytes.count > colon + 1
            && bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F && !forbidden.contains($0) }
    }

    private static func isEmail(_ bytes: [UInt8]) -> Bool {
        guard let at = bytes.lastIndex(of: UInt8(ascii: "@")), at > 0, at < bytes.count - 1 else { return false }
        let domain = bytes[(at + 1)...]
        return bytes.allSatisfy { $0 > 0x20 && $0 != 0x7F } && !bytes[..<at].contains(UInt8(ascii: "@"))
            && domain.first != UInt8(ascii: ".") && domain.last != UInt8(ascii: ".")
    }

    private static func isDate(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard matches(bytes.prefix(10), "dddd-dd-dd") else { return false }
        let start = bytes.startIndex
        let (year, month, day) = (
            number(bytes[start..<start + 4]), number(bytes[start + 5..<start + 7]),
            number(bytes[start + 8..<start + 10])
        )
        guard (1...12).contains(month) else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
        return (1...days).contains(day)
    }

    /// RFC 3339: a date, `T`, a time with an optional fraction, and `Z` or an offset.
    private static func isDateTime(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 20, isDate(bytes[...]), bytes[10] | 0x20 == UInt8(ascii: "t"),
            matches(bytes[11..<19], "dd:dd:dd")
        else { return false }
        let isTime = number(bytes[11..<13]) < 24 && number(bytes[14..<16]) < 60 && number(bytes[17..<19]) <= 60
        var rest = bytes[19...]
        if rest.first == UInt8(ascii: ".") {
            let afterFraction = rest.dropFirst().drop(while: isDigit)
            guard afterFraction.count < rest.count - 1 else { return false }
            rest = afterFraction
        }
        if rest.count == 1, let last = rest.last { return isTime && last | 0x20 == UInt8(ascii: "z") }
        guard matches(rest.dropFirst(), "dd:dd"), let sign = rest.first else { return false }
        let hours = rest.startIndex + 1
        return isTime && (sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"))
            && number(rest[hours..<hours + 2]) < 24 && number(rest[hours + 3..<hours + 5]) < 60
    }

    /// Compares with a shape: `d` is a digit, `x` a hexadecimal digit, others stand for themselves.
    private static func matches(_ bytes: ArraySlice<UInt8>, _ shape: String) -> Bool {
        guard bytes.count == shape.utf8.count else { return false }
        return zip(bytes, shape.utf8).allSatisfy { byte, wanted in
            switch wanted {
            case UInt8(ascii: "d"): isDigit(byte)
            case UInt8(ascii: "x"): isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
            default: byte == wanted
            }
        }
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int {
        digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
