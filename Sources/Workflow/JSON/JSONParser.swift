// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

extension JSON {
    /// Parses JSON text (RFC 8259, UTF-8 without a byte order mark).
    ///
    /// - Parameters:
    ///   - bytes: the text, nothing but one value and white space.
    ///   - maxDepth: how many lists and objects may lie within each other.
    /// - Throws: `JSONError` with the place of the first mistake.
    public init(parsing bytes: [UInt8], maxDepth: Int = 128) throws(JSONError) {
        self = try bytes.withUnsafeBufferPointer { (buffer) throws(JSONError) -> JSON in
            var parser = JSONParser(text: buffer, maxDepth: maxDepth)
            return try parser.parse()
        }
    }

    /// Parses JSON text.
    ///
    /// - Throws: `JSONError` with the place of the first mistake, in bytes of the text's UTF-8.
    public init(parsing text: String, maxDepth: Int = 128) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), maxDepth: maxDepth)
    }
}

/// A recursive descent over bytes; strings without escapes are copied once, numbers keep their text.
struct JSONParser {
    private let text: UnsafeBufferPointer<UInt8>
    private let maxDepth: Int
    private var position = 0

    init(text: UnsafeBufferPointer<UInt8>, maxDepth: Int) {
        self.text = text
        self.maxDepth = maxDepth
    }

    mutating func parse() throws(JSONError) -> JSON {
        if text.count >= 3, text[0] == 0xEF, text[1] == 0xBB, text[2] == 0xBF {
            throw JSONError(offset: 0, message: "a byte order mark stands before the JSON; leave it out")
        }
        let value = try value(depth: 0)
        skipSpace()
        guard position == text.count else {
            throw JSONError(offset: position, message: "\(found()) follows the end of the JSON value")
        }
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSON {
        skipSpace()
        guard position < text.count else { throw unexpected("a value") }
        switch text[position] {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        default: throw unexpected("a value")
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSON {
        try descend(depth)
        position += 1
        var members: [(String, JSON)] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(JSONObject()) }
        while true {
            skipSpace()
            guard position < text.count, text[position] == UInt8(ascii: "\"") else {
                throw unexpected("a member's name in double quotes")
            }
            let name = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw unexpected("':' after a member's name") }
            members.append((name, try value(depth: depth + 1)))
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "}")) else { throw unexpected("',' or '}' in an object") }
            return .object(JSONObject(members))
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSON {
        try descend(depth)
        position += 1
        var elements: [JSON] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array([]) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "]")) else { throw unexpected("',' or ']' in a list") }
            return .array(elements)
        }
    }

    private func descend(_ depth: Int) throws(JSONError) {
        guard depth < maxDepth else {
            throw JSONError(offset: position, message: "lists and objects are nested deeper than \(maxDepth)")
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        let length = word.utf8CodeUnitCount
        guard position + length <= text.count else { throw unexpected("'\(word)'") }
        for index in 0..<length where text[position + index] != word.utf8Start[index] {
            throw unexpected("'\(word)'")
        }
        position += length
        return value
    }

    private mutating func number() throws(JSONError) -> JSONNumber {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if take(UInt8(ascii: "0")) {
            if position < text.count, isDigit(text[position]) {
                throw JSONError(offset: start, message: "a number begins with 0 and goes on")
            }
        } else {
            try digits()
        }
        if take(UInt8(ascii: ".")) { try digits() }
        if position < text.count, text[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        return JSONNumber(checked: String(decoding: text[start..<position], as: UTF8.self))
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while position < text.count, isDigit(text[position]) { position += 1 }
        guard position > start else { throw unexpected("a digit") }
    }

    private mutating func string() throws(JSONError) -> String {
        position += 1
        let start = position
        while position < text.count {
            let byte = text[position]
            if byte == UInt8(ascii: "\"") {
                defer { position += 1 }
                return try decode(text[start..<position], from: start)
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            guard byte >= 0x20 else { throw unexpected("an escape such as \\n in place of a control character") }
            position += 1
        }
        throw JSONError(offset: start - 1, message: "a string has no end")
    }

    /// The slow way, from the first escape on.
    private mutating func escapedString(from start: Int) throws(JSONError) -> String {
        var bytes = Array(text[start..<position])
        while position < text.count {
            let byte = text[position]
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try bytes.withUnsafeBufferPointer { (buffer) throws(JSONError) -> String in
                    try decode(buffer[...], from: start)
                }
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &bytes)
            case 0..<0x20: throw unexpected("an escape such as \\n in place of a control character")
            default:
                bytes.append(byte)
                position += 1
            }
        }
        throw JSONError(offset: start - 1, message: "a string has no end")
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(JSONError) {
        guard position < text.count else { throw unexpected("the rest of an escape") }
        let byte = text[position]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            bytes.append(contentsOf: String(Character(try unicodeEscape())).utf8)
            return
        default: throw unexpected("an escape: one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u")
        }
        position += 1
    }

    /// Reads `uXXXX`, and a second half where the first is the high half of a surrogate pair.
    private mutating func unicodeEscape() throws(JSONError) -> Unicode.Scalar {
        let start = position - 1
        position += 1
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        let lone = JSONError(offset: start, message: "half of a surrogate pair stands alone")
        guard first < 0xDC00, position + 1 < text.count, text[position] == UInt8(ascii: "\\"),
            text[position + 1] == UInt8(ascii: "u")
        else { throw lone }
        position += 2
        let second = try hexadecimal()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw lone }
        return scalar
    }

    private mutating func hexadecimal() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < text.count else { throw unexpected("four hexadecimal digits") }
            let byte = text[position]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw unexpected("four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private func decode(_ bytes: Slice<UnsafeBufferPointer<UInt8>>, from offset: Int) throws(JSONError) -> String {
        // Nearly all strings are of ASCII, and so valid; the general way looks its types up anew for each.
        if bytes.reduce(0, |) < 0x80 { return String(decoding: bytes, as: UTF8.self) }
        guard let string = String(validating: bytes, as: UTF8.self) else {
            throw JSONError(offset: offset, message: "a string is not valid UTF-8")
        }
        return string
    }

    private mutating func skipSpace() {
        while position < text.count {
            switch text[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < text.count, text[position] == byte else { return false }
        position += 1
        return true
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    private func unexpected(_ wanted: String) -> JSONError {
        JSONError(offset: position, message: "expected \(wanted), found \(found())")
    }

    private func found() -> String {
        guard position < text.count else { return "the end" }
        let byte = text[position]
        return byte > 0x20 && byte < 0x7F ? "'\(Unicode.Scalar(byte))'" : "byte 0x\(String(byte, radix: 16))"
    }
}
