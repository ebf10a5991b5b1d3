// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// An input read as a row of choices, so that any bytes make a value of the wanted shape.
struct Choices {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
    }

    /// How many bytes are left.
    var left: Int { bytes.count - position }

    /// The next byte; 0 at the end.
    mutating func byte() -> UInt8 {
        guard position < bytes.count else { return 0 }
        position += 1
        return bytes[position - 1]
    }

    /// The next number below `count`.
    mutating func number(below count: Int) -> Int { Int(byte()) % count }

    /// One of some.
    mutating func one<Element>(of elements: [Element]) -> Element { elements[number(below: elements.count)] }

    /// Eight bytes as a number.
    mutating func whole() -> UInt64 { (0..<8).reduce(0) { value, _ in value << 8 | UInt64(byte()) } }

    /// What is left.
    mutating func rest() -> [UInt8] {
        defer { position = bytes.count }
        return Array(bytes[position...])
    }

    /// A text: one of the words, or what follows, decoded.
    mutating func text(_ words: [String]) -> String {
        let choice = number(below: words.count + 2)
        if choice < words.count { return words[choice] }
        let count = number(below: 24)
        return String(decoding: (0..<count).map { _ in byte() }, as: UTF8.self)
    }

    /// A JSON value whose names and strings are mostly of the words.
    mutating func json(_ words: [String], depth: Int = 0) -> JSON {
        guard left > 0, depth < 12 else { return .null }
        switch number(below: 10) {
        case 0: return .null
        case 1: return .bool(byte() & 1 == 1)
        case 2: return .number(JSONNumber(number(below: 8)))
        case 3: return .number(JSONNumber(Int(truncatingIfNeeded: whole())))
        case 4:
            let texts = ["0", "-0", "1e400", "-1e400", "1e-400", "9223372036854775807", "9223372036854775808", "0.1"]
            return (try? JSON(parsing: one(of: texts))) ?? .null
        case 5, 6: return .string(text(words))
        case 7: return .array((0..<number(below: 5)).map { _ in json(words, depth: depth + 1) })
        default:
            var object = JSONObject()
            for _ in 0..<number(below: 6) { object[text(words)] = json(words, depth: depth + 1) }
            return .object(object)
        }
    }

    /// JSON by its text when it is one, so that seeds can be read, else by choices.
    static func json(_ bytes: some Collection<UInt8>, _ words: [String]) -> JSON {
        if let json = try? JSON(parsing: Array(bytes)) { return json }
        var choices = Choices(bytes)
        return choices.json(words)
    }

    /// The two halves of an input: what stands before the first line feed, and what follows it.
    static func halves(_ bytes: [UInt8]) -> (head: ArraySlice<UInt8>, rest: ArraySlice<UInt8>) {
        let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        return (bytes[..<end], bytes[min(end + 1, bytes.count)...])
    }
}
