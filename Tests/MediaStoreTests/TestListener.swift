// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation

/// A loopback port with one thread per connection.
final class TestListener: Sendable {
    let port: UInt16
    private let listener: CInt

    struct NoPort: Error {}

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(listener, raw, length) | listen(listener, 512) | getsockname(listener, raw, &length)
            }
        }
        guard code == 0 else { throw NoPort() }
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
    }

    func serve(_ body: @escaping @Sendable (TestConnection) -> Void) {
        let listener = self.listener
        Thread.detachNewThread {
            while case let client = accept(listener, nil, nil), client >= 0 {
                Thread.detachNewThread { body(TestConnection(client)) }
            }
            close(listener)
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
    }
}

/// One connection of a client, on its own thread.
final class TestConnection {
    private let descriptor: CInt
    private var pending: [UInt8] = []

    init(_ descriptor: CInt) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    func readHead() -> StumblingS3.Seen? {
        var end = pending.firstRange(of: [13, 10, 13, 10])
        while end == nil {
            guard receive() else { return nil }
            end = pending.firstRange(of: [13, 10, 13, 10])
        }
        guard let end else { return nil }
        let lines = String(decoding: pending[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        pending.removeSubrange(..<end.upperBound)
        let words = lines[0].split(separator: " ")
        let target = words[1].split(separator: "?", maxSplits: 1)
        var seen = StumblingS3.Seen(method: String(words[0]), path: String(target[0]))
        seen.query = target.count > 1 ? String(target[1]) : ""
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            seen.headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        return seen
    }

    /// So many bytes, or fewer when the client closes before.
    func read(_ count: Int) -> [UInt8] {
        while pending.count < count, receive() {}
        defer { pending.removeFirst(min(count, pending.count)) }
        return Array(pending.prefix(count))
    }

    func reply(_ status: Int, _ body: [UInt8], isHead: Bool = false) -> Bool {
        send("HTTP/1.1 \(status) X\r\nContent-Length: \(body.count)\r\n\r\n", isHead ? [] : body)
    }

    @discardableResult
    func send(_ head: String, _ body: [UInt8]) -> Bool {
        let bytes = Array(head.utf8) + body
        return bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
                let count = Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
    }

    func waitForClose() {
        while receive() { pending = [] }
    }

    private func receive() -> Bool {
        let count = withUnsafeTemporaryAllocation(byteCount: 262_144, alignment: 16) { buffer in
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { pending += UnsafeRawBufferPointer(rebasing: buffer[..<count]) }
            return count
        }
        return count > 0
    }
}
