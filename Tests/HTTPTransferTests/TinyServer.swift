// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A tiny HTTP server on a loopback port: one thread per connection, the path says how it behaves.
final class TinyServer: Sendable {
    let port: UInt16
    private let listener: CInt
    /// Bytes that were sent to readers of `/huge`.
    let sent = Mutex(0)
    /// Requests whose connection was closed by the client before the answer was over.
    let brokenOff = Mutex(0)
    /// Connections that were made.
    let connections = Mutex(0)
    /// Requests that are waiting in `/hang` or `/gather`, and how many `/gather` waits for.
    let waiting = Mutex(0)
    let gathered = 100

    /// Listens on 127.0.0.1, or another address of loopback; on a free port unless one is given.
    init(address host: UInt32 = 0x7F00_0001, port wanted: UInt16 = 0) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = host.bigEndian
        address.sin_port = wanted.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = self.listener
        port = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                _ = bind(listener, raw, length)
                _ = listen(listener, 512)
                _ = getsockname(listener, raw, &length)
            }
            return UInt16(bigEndian: $0.pointee.sin_port)
        }
        Self.thread { [self] in
            while case let client = accept(listener, nil, nil), client >= 0 {
                self.connections.withLock { $0 += 1 }
                Self.thread { self.serve(client) }
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private static func thread(_ body: @escaping @Sendable () -> Void) {
        final class Box {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body)).toOpaque()
        pthread_create(
            &thread,
            nil,
            {
                Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().body()
                return nil
            },
            box
        )
        pthread_detach(thread)
    }

    private func serve(_ client: CInt) {
        defer { close(client) }
        var pending: [UInt8] = []
        while let head = readHead(client, &pending) {
            let words = head.split(separator: " ")
            guard words.count > 1 else { return }
            let body = readBody(client, head, &pending)
            guard answer(client, String(words[0]), String(words[1]), body, head) else { return }
        }
    }

    /// Answers; false when the connection is over.
    private func answer(_ client: CInt, _ method: String, _ path: String, _ body: [UInt8], _ head: String) -> Bool {
        switch path {
        case "/hang":
            waiting.withLock { $0 += 1 }
            return wait(client)
        case "/gather":
            waiting.withLock { $0 += 1 }
            while waiting.withLock({ $0 }) < gathered { usleep(1000) }
            return reply(client, "together")
        case "/leave":
            // Says that the connection stays, and closes it all the same.
            _ = reply(client, "bye")
            return false
        case "/once":
            // Closes when the next request begins.
            _ = reply(client, "bye")
            var bytes = [UInt8](repeating: 0, count: 1000)
            _ = recv(client, &bytes, bytes.count, 0)
            return false
        case "/vanish":
            return false
        case "/headers":
            let lines = String(repeating: "X-Long: \(String(repeating: "x", count: 1000))\r\n", count: 300)
            return send(client, "HTTP/1.1 200 OK\r\n\(lines)Content-Length: 0\r\n\r\n")
        case "/header":
            let line = "X-Long: \(String(repeating: "x", count: 300_000))"
            return send(client, "HTTP/1.1 200 OK\r\n\(line)\r\nContent-Length: 0\r\n\r\n")
        case "/interim":
            for _ in 0..<10_000 where !send(client, "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n") {
                return false
            }
            return reply(client, "late")
        case "/cut":
            _ = send(client, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            return false
        case "/redirect":
            return send(client, "HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n")
        case "/stall":
            _ = send(client, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            return wait(client)
        case "/huge":
            guard send(client, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n") else { return false }
            let chunk = String(repeating: "x", count: 65_536)
            for _ in 0..<16_384 {
                guard send(client, chunk) else { break }
                sent.withLock { $0 += 65_536 }
            }
            brokenOff.withLock { $0 += 1 }
            return false
        case "/echo":
            let text = String(decoding: body, as: UTF8.self)
            return send(
                client,
                "HTTP/1.1 201 Created\r\nX-Method: \(method)\r\nContent-Length: \(body.count)\r\n\r\n" + text
            )
        case "/count":
            return reply(client, "\(body.count) \(body.reduce(0 as UInt32) { $0 &+ UInt32($1) })")
        case "/head":
            return reply(client, head)
        default:
            return reply(client, "hello", isHead: method == "HEAD")
        }
    }

    private func reply(_ client: CInt, _ text: String, isHead: Bool = false) -> Bool {
        send(client, "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n" + (isHead ? "" : text))
    }

    /// Waits until the client closes.
    private func wait(_ client: CInt) -> Bool {
        var byte: UInt8 = 0
        while recv(client, &byte, 1, 0) > 0 {}
        brokenOff.withLock { $0 += 1 }
        return false
    }

    private func send(_ client: CInt, _ text: String) -> Bool {
        var text = text
        return text.withUTF8 { buffer in
            var done = 0
            while done < buffer.count {
                let count = Glibc.send(client, buffer.baseAddress! + done, buffer.count - done, Int32(MSG_NOSIGNAL))
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
    }

    private func readHead(_ client: CInt, _ pending: inout [UInt8]) -> String? {
        while true {
            if let end = pending.indices.first(where: { pending[$0...].starts(with: [13, 10, 13, 10]) }) {
                let head = String(decoding: pending[..<end], as: UTF8.self)
                pending.removeSubrange(..<(end + 4))
                return head
            }
            guard receive(client, &pending) else { return nil }
        }
    }

    private func readBody(_ client: CInt, _ head: String, _ pending: inout [UInt8]) -> [UInt8] {
        let lower = head.lowercased()
        if lower.contains("transfer-encoding: chunked") { return readChunks(client, &pending) }
        guard let header = lower.split(separator: "\r\n").first(where: { $0.hasPrefix("content-length:") }),
            let length = Int(header.dropFirst(15).drop { $0 == " " })
        else { return [] }
        while pending.count < length, receive(client, &pending) {}
        defer { pending.removeFirst(min(length, pending.count)) }
        return Array(pending.prefix(length))
    }

    private func readChunks(_ client: CInt, _ pending: inout [UInt8]) -> [UInt8] {
        var body: [UInt8] = []
        while true {
            while !pending.contains(10) { guard receive(client, &pending) else { return body } }
            let line = pending.prefix { $0 != 13 }
            let size = Int(String(decoding: line, as: UTF8.self), radix: 16) ?? 0
            pending.removeFirst(line.count + 2)
            while pending.count < size + 2 { guard receive(client, &pending) else { return body } }
            body += pending.prefix(size)
            pending.removeFirst(size + 2)
            if size == 0 { return body }
        }
    }

    private func receive(_ client: CInt, _ pending: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(client, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        pending += buffer[..<count]
        return true
    }
}
