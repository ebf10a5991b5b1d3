// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization
import Workflow

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A client's end of callbacks: a small HTTP server that takes every request and remembers it.
final class CallbackReceiver: Sendable {
    /// One request.
    struct Callback: Sendable {
        /// The `webhook-id`.
        let id: String
        /// The envelope.
        let body: JSON
        /// The task that it tells about.
        var task: String { body["taskId"]?.string ?? "" }
        /// The code, such as `BE_000`.
        var status: String { body["errorCode"]?["status"]?.string ?? "" }
    }

    let port: UInt16
    private let listener: CInt
    private let received = Mutex<[Callback]>([])

    /// Listens on a free port of loopback.
    init() {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
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
                Self.thread { self.serve(client) }
            }
            close(listener)
        }
    }

    /// Takes no more connections.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// The callbacks so far.
    var callbacks: [Callback] { received.withLock { $0 } }

    /// The callbacks of a task so far.
    func callbacks(of task: String) -> [Callback] { callbacks.filter { $0.task == task } }

    private func serve(_ client: CInt) {
        defer { close(client) }
        var pending: [UInt8] = []
        while let head = readHead(client, &pending) {
            var id = ""
            var length = 0
            for line in head.split(separator: "\r\n") {
                guard let colon = line.firstIndex(of: ":") else { continue }
                let value = line[line.index(after: colon)...].drop { $0 == " " }
                switch line[..<colon].lowercased() {
                case "webhook-id": id = String(value)
                case "content-length": length = Int(value) ?? 0
                default: break
                }
            }
            while pending.count < length { guard receive(client, &pending) else { return } }
            let body = Array(pending.prefix(length))
            pending.removeFirst(length)
            let json = (try? JSON(parsing: body)) ?? .null
            received.withLock { $0.append(Callback(id: id, body: json)) }
            let answer = "HTTP/1.1 204 No Content\r\n\r\n"
            guard send(client, answer, answer.utf8.count, Int32(MSG_NOSIGNAL)) > 0 else { return }
        }
    }

    private func readHead(_ client: CInt, _ pending: inout [UInt8]) -> String? {
        while true {
            if let end = pending.indices.first(where: { pending[$0...].starts(with: [13, 10, 13, 10]) }) {
                let head = String(decoding: pending[..<end], as: UTF8.self)
                pending.removeFirst(end + 4)
                return head
            }
            guard receive(client, &pending) else { return nil }
        }
    }

    private func receive(_ client: CInt, _ pending: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = recv(client, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        pending += buffer[..<count]
        return true
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
}
