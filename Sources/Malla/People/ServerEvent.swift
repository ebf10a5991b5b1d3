// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// One event of a stream of server-sent events; see the HTML standard, section 9.2.
struct ServerEvent: Equatable {
    /// The event's name; `message` when it has none.
    var name = "message"
    /// Its id, by which a stream goes on after it broke.
    var id: String?
    /// Its text, the lines of `data` joined.
    var text = ""
}

/// Reads server-sent events out of chunks that may be cut anywhere.
struct ServerEventParser {
    private var line: [UInt8] = []
    private var event = ServerEvent()
    private var data: [String] = []
    private var isAfterReturn = false

    /// Takes the next bytes; returns the events that they complete.
    mutating func take(_ bytes: [UInt8]) -> [ServerEvent] {
        var events: [ServerEvent] = []
        for byte in bytes {
            // A line ends with CR, LF or both.
            if byte == UInt8(ascii: "\n"), isAfterReturn {
                isAfterReturn = false
                continue
            }
            isAfterReturn = byte == UInt8(ascii: "\r")
            guard byte == UInt8(ascii: "\n") || isAfterReturn else {
                line.append(byte)
                continue
            }
            if let event = endLine() { events.append(event) }
        }
        return events
    }

    private mutating func endLine() -> ServerEvent? {
        let text = String(decoding: line, as: UTF8.self)
        line = []
        guard !text.isEmpty else { return dispatch() }
        guard !text.hasPrefix(":") else { return nil }
        let colon = text.firstIndex(of: ":") ?? text.endIndex
        var value = colon == text.endIndex ? "" : text[text.index(after: colon)...]
        if value.first == " " { value = value.dropFirst() }
        switch text[..<colon] {
        case "event": event.name = String(value)
        case "id": event.id = String(value)
        case "data": data.append(String(value))
        default: break
        }
        return nil
    }

    private mutating func dispatch() -> ServerEvent? {
        defer {
            event = ServerEvent()
            data = []
        }
        guard !data.isEmpty else { return nil }
        event.text = data.joined(separator: "\n")
        return event
    }
}
