// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import HTTPTransfer
import Testing
import Workflow

/// Reads server-sent events as a browser does.
struct EventReader {
    struct Event: Sendable {
        var name = "message"
        var id: String?
        var data: JSON = .null
    }

    private var lines: AsyncThrowingStream<[UInt8], any Error>.Iterator
    private var buffer = ""
    private let transfer = CurlTransfer()

    init(_ client: ServiceClient, _ job: String, after place: String? = nil) async throws {
        var headers = [("accept", "text/event-stream")]
        if let place { headers.append(("last-event-id", place)) }
        let (head, body) = try await transfer.stream(
            TransferRequest("GET", "\(client.base)/api/v1/jobs/\(job)/events", headers: headers, timeout: .seconds(40))
        )
        #expect(head.status == 200 && head["content-type"]?.hasPrefix("text/event-stream") == true)
        lines = body.makeAsyncIterator()
    }

    /// The next event; nil at the end.
    mutating func next() async throws -> Event? {
        while true {
            if let end = buffer.range(of: "\n\n") {
                let block = buffer[..<end.lowerBound]
                buffer = String(buffer[end.upperBound...])
                if let event = try Self.event(block) { return event }
                continue
            }
            guard let chunk = try await lines.next() else { return nil }
            buffer += String(decoding: chunk, as: UTF8.self)
        }
    }

    /// All that come.
    consuming func all() async throws -> [Event] {
        var reader = self
        var events: [Event] = []
        while let event = try await reader.next() { events.append(event) }
        return events
    }

    private static func event(_ block: Substring) throws -> Event? {
        var event = Event()
        var data: [Substring] = []
        for line in block.split(separator: "\n") where !line.hasPrefix(":") {
            guard let colon = line.range(of: ": ") else { continue }
            let value = line[colon.upperBound...]
            switch line[..<colon.lowerBound] {
            case "event": event.name = String(value)
            case "id": event.id = String(value)
            case "data": data.append(value)
            default: break
            }
        }
        guard !data.isEmpty else { return nil }
        event.data = try JSON(parsing: data.joined(separator: "\n"))
        return event
    }
}
