// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Reads a stream of server-sent events (HTML standard, section 9.2) whatever the borders of its chunks; pure.
public struct ServerSentEvents {
    /// Says that an event is longer than it may be.
    public struct TooLong: Error, Hashable, CustomStringConvertible {
        /// The most bytes that an event may have.
        public var limit: Int
        /// What is wrong, in words.
        public var description: String { "one event of the stream has more than \(limit) bytes" }
    }

    private let limit: Int
    private var line: [UInt8] = []
    private var event = ServerSentEvent()
    private var hasData = false
    private var endedInReturn = false
    private var isFirstLine = true

    /// Makes a reader.
    ///
    /// - Parameter limit: the most bytes of one event.
    public init(limit: Int) { self.limit = limit }

    /// Takes the next bytes; returns the events with data that they complete.
    ///
    /// - Throws: ``TooLong``; the reader is of no use then.
    public mutating func take(_ bytes: [UInt8]) throws(TooLong) -> [ServerSentEvent] {
        var events: [ServerSentEvent] = []
        for byte in bytes {
            // A line ends with a carriage return, a line feed or both.
            let isSecondHalf = endedInReturn && byte == 0x0A
            endedInReturn = byte == 0x0D
            if isSecondHalf { continue }
            guard byte == 0x0A || byte == 0x0D else {
                line.append(byte)
                guard line.count + event.data.count <= limit else { throw TooLong(limit: limit) }
                continue
            }
            if let event = endLine() { events.append(event) }
        }
        return events
    }

    private mutating func endLine() -> ServerSentEvent? {
        defer {
            line.removeAll(keepingCapacity: true)
            isFirstLine = false
        }
        if isFirstLine, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        guard !line.isEmpty else { return endEvent() }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[colon...].dropFirst()
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        // Comments have no name, and other names say nothing here.
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "data":
            if hasData { event.data.append(0x0A) }
            event.data += value
            hasData = true
        case "event": event.name = String(decoding: value, as: UTF8.self)
        case "id": event.id = String(decoding: value, as: UTF8.self)
        default: break
        }
        return nil
    }

    private mutating func endEvent() -> ServerSentEvent? {
        defer {
            event = ServerSentEvent()
            hasData = false
        }
        return hasData ? event : nil
    }
}
