// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Reads a stream of server-sent events (WHATWG HTML, 9.2) whatever the borders of its chunks: pure.
struct ServerSentEvents {
    /// The largest event in bytes; a longer one ends the reading.
    private let limit: Int
    private var line: [UInt8] = []
    private var data: [UInt8] = []
    private var hasData = false
    private var endedInReturn = false
    private var isFirstLine = true

    init(limit: Int) { self.limit = limit }

    /// Takes bytes and returns the data of every event that they complete.
    ///
    /// - Throws: ``UpstreamFailure`` when an event is too long.
    mutating func take(_ bytes: [UInt8]) throws(UpstreamFailure) -> [[UInt8]] {
        var events: [[UInt8]] = []
        for byte in bytes {
            let isSecondHalf = endedInReturn && byte == 0x0A
            endedInReturn = byte == 0x0D
            if isSecondHalf { continue }
            guard byte == 0x0A || byte == 0x0D else {
                line.append(byte)
                guard line.count + data.count <= limit else {
                    throw .unreadable("one event of its stream has more than \(limit) bytes")
                }
                continue
            }
            if let event = endLine() { events.append(event) }
        }
        return events
    }

    private mutating func endLine() -> [UInt8]? {
        defer {
            line.removeAll(keepingCapacity: true)
            isFirstLine = false
        }
        if isFirstLine, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        guard !line.isEmpty else {
            defer {
                data = []
                hasData = false
            }
            return hasData ? data : nil
        }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        // Names other than data (event, id, retry) and comments say nothing here.
        guard line[..<colon].elementsEqual("data".utf8) else { return nil }
        var value = line[colon...].dropFirst()
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        if hasData { data.append(0x0A) }
        data += value
        hasData = true
        return nil
    }
}
