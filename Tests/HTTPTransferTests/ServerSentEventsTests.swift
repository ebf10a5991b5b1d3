// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Testing

@testable import HTTPTransfer

@Suite struct ServerSentEventsTests {
    private static func read(_ chunks: [[UInt8]], limit: Int = 1000) throws -> [ServerSentEvent] {
        var events = ServerSentEvents(limit: limit)
        return try chunks.flatMap { try events.take($0) }
    }

    private static func event(_ text: String, name: String = "message", id: String? = nil) -> ServerSentEvent {
        ServerSentEvent(name: name, id: id, data: Array(text.utf8))
    }

    /// A stream with all that the standard allows, and what it says.
    private static let stream =
        "\u{FEFF}data: first\n\n: a comment\nevent: state\nid:7\ndata:{}\n\ndata: two\r\ndata:  lines\r\n\r\n"
        + "event: no data\n\nretry: 10\rdata\r\rdata: é🙂\n\ndata: never ended"
    private static let said = [
        event("first"), event("{}", name: "state", id: "7"), event("two\n lines"), event(""), event("é🙂"),
    ]

    @Test func aStreamIsReadAsTheStandardSays() throws {
        #expect(try Self.read([Array(Self.stream.utf8)]) == Self.said)
        #expect(try Self.read([]) == [])
        #expect(try Self.read(Self.stream.utf8.map { [$0] }) == Self.said, "byte by byte")
    }

    @Test(arguments: 0..<50)
    func chunksMayBeCutAnywhere(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var rest = Array(Self.stream.utf8)[...]
        var chunks: [[UInt8]] = []
        while !rest.isEmpty {
            let count = Int.random(in: 0...min(9, rest.count), using: &random)
            chunks.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        #expect(try Self.read(chunks) == Self.said)
    }

    @Test func anEventHasALimit() throws {
        let line = Array("data: ".utf8) + Array(repeating: 0x78, count: 94)
        #expect(try Self.read([line, [0x0A, 0x0A]], limit: 100).count == 1)
        #expect(throws: ServerSentEvents.TooLong(limit: 100)) { try Self.read([line, [0x78]], limit: 100) }
        #expect(throws: ServerSentEvents.TooLong(limit: 100)) { try Self.read([line, [0x0A], line], limit: 100) }
    }
}
