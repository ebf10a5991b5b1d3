// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

/// JSON from strangers: it costs time in proportion to its length, and never more stack than its limit.
@Suite(.timeLimit(.minutes(1)))
struct HostileJSONTests {
    @Test(arguments: ["[", #"{"a":"#, #"[{"a":["#])
    func depthIsRefusedWithTheLimit(opening: String) {
        let text = String(repeating: opening, count: 100_000)
        let error = #expect(throws: JSONError.self) { try JSON(parsing: text) }
        #expect(error?.message.contains("128") == true)
    }

    /// Twice the text takes about twice the time; a square would take four times, and minutes here.
    @Test(arguments: [
        ("[", "[],", "[]]"), ("{", #""k":1,"#, #""k":2}"#), ("\"", "\\u0041", "\""), ("", "1", "1"),
        ("[", "1e9,", "1]"),
        ("\"", "\\\\", "\""), ("", " ", "1"),
    ])
    func lengthCostsInProportion(before: String, each: String, after: String) throws {
        let count = 2_000_000 / each.utf8.count
        let json = try JSON(parsing: before + String(repeating: each, count: count) + after)
        #expect(json.bytes.count > 0)
    }

    @Test func manyMembersAreFoundAtOnce() throws {
        let count = 100_000
        let members = (0..<count).map { #""k\#($0)":\#($0)"# }.joined(separator: ",")
        let json = try JSON(parsing: "{\(members)}")
        #expect(json.object?.count == count)
        let lost = (0..<count).filter { (number: Int) -> Bool in json["k\(number)"]?.int != number }
        #expect(lost.isEmpty)
    }

    @Test func numbersThatNoMachineHoldsKeepTheirTextAndAreNoInt() throws {
        for text in ["1e999999", "-1e999999", "1e-999999", String(repeating: "9", count: 1_000_000)] {
            let json = try JSON(parsing: text)
            #expect(json.text == text)
            #expect(json.int == nil || text.contains("e-"))
        }
    }

    @Test func brokenTextIsRefused() {
        for bytes: [UInt8] in [
            Array(#""\ud800""#.utf8), Array(#""\udc00\ud800""#.utf8), [0x22, 0xC0, 0x80, 0x22],
            [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x22, 0xFF, 0x22], [0x22, 0x00, 0x22], Array("[1,]".utf8), Array("NaN".utf8), Array("01".utf8),
        ] {
            #expect(throws: JSONError.self) { try JSON(parsing: bytes) }
        }
    }

    @Test func theLastOfTwoMembersCounts() throws {
        let json = try JSON(parsing: #"{"user":"me","user":"you","\u0075ser":"they"}"#)
        #expect(json["user"]?.string == "they")
        #expect(json.text == #"{"user":"they"}"#)
    }
}
