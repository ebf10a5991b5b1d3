// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Testing
import Workflow

@Suite struct JSONTests {
    @Test(arguments: [
        "", " ", "nul", "truex", "[1,]", "[1 2]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "01", "-", "1.", ".5", "1e", "+1",
        "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"a", "\"\u{1}\"", "[", "{",
        "1 2", "[1]]", "\u{FEFF}1", "NaN", "'a'", "[\u{0B}1]", "\"\\",
    ])
    func refuses(_ text: String) {
        #expect(throws: JSONError.self) { try JSON(parsing: text) }
    }

    @Test func refusesWhatIsNotUTF8() {
        for bytes: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82]] {
            #expect(throws: JSONError(offset: 1, message: "a string is not valid UTF-8")) {
                try JSON(parsing: [0x22] + bytes + [0x22])
            }
        }
    }

    @Test func countsDepth() throws {
        let deep = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        _ = try JSON(parsing: deep)
        #expect(throws: JSONError.self) { try JSON(parsing: "[" + deep + "]") }
        #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "{\"a\":", count: 1_000_000)) }
    }

    @Test func namesThePlace() {
        #expect(throws: JSONError(offset: 7, message: "expected a value, found '}'")) {
            try JSON(parsing: #"{"a": }"#.replacing("  ", with: " ").replacing(": ", with: ":  "))
        }
    }

    @Test func readsEscapes() throws {
        let json = try JSON(parsing: #""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é😀""#)
        #expect(json == "\"\\/\u{8}\u{C}\n\r\té😀é😀")
        #expect(try JSON(parsing: #""\u0000""#).string == "\0")
    }

    @Test func keepsOrderAndNumbers() throws {
        let text = #"{"z":1.50,"a":[1e400,-0,12345678901234567890],"m":{}}"#
        #expect(try JSON(parsing: text).text == text)
        #expect(try JSON(parsing: #"{"a":1,"a":2}"#).text == #"{"a":2}"#)
    }

    @Test func roundTrips() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<2000 {
            let json = generator.json(depth: 4)
            let read = try JSON(parsing: json.bytes)
            #expect(read == json)
            #expect(read.bytes == json.bytes)
        }
    }

    @Test func neverCrashesOnDamage() throws {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<2000 {
            var bytes = generator.json(depth: 4).bytes
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            if let json = try? JSON(parsing: bytes) { #expect(try JSON(parsing: json.bytes) == json) }
        }
    }

    @Test func objectsCompareWhateverTheirOrder() throws {
        let (left, right): (JSON, JSON) = (["a": 1, "b": [2.0]], ["b": [2], "a": 1.0])
        #expect(left == right)
        #expect(left.hashValue == right.hashValue)
    }

    @Test func handlesManyMembers() throws {
        let many = JSON.object(JSONObject((0..<10_000).map { ("name\($0)", .number(JSONNumber($0))) }))
        let read = try JSON(parsing: many.bytes)
        #expect(read == many)
        #expect(read["name9999"]?.int == 9999)
    }
}

extension SeededGenerator {
    mutating func json(depth: Int) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &self) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &self))
        case 2: return .number(JSONNumber(Int.random(in: Int.min...Int.max, using: &self)))
        case 3: return .number(JSONNumber(Double.random(in: -1e9...1e9, using: &self)))
        case 4, 5: return .string(text())
        case 6: return .array((0..<Int.random(in: 0...5, using: &self)).map { _ in json(depth: depth - 1) })
        default:
            let count = Int.random(in: 0...16, using: &self)
            return .object(JSONObject((0..<count).map { _ in (text(), json(depth: depth - 1)) }))
        }
    }

    private mutating func text() -> String {
        let alphabet: [Unicode.Scalar] = [
            "a", "Z", "\"", "\\", "/", "\n", "\0", "\u{1F}", "~", "ß", "世", "😀", " ", "\u{7F}",
        ]
        var text = ""
        for _ in 0..<Int.random(in: 0...12, using: &self) {
            text.unicodeScalars.append(alphabet[Int.random(in: alphabet.indices, using: &self)])
        }
        return text
    }
}
