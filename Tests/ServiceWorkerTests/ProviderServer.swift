// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Synchronization
import Workflow

/// A real HTTP server on loopback that answers each call as a test says: whole, in pieces, late, broken or never.
final class ProviderServer: Sendable {
    /// A request that came in.
    struct Call: Sendable {
        var method: String
        /// The path without the query.
        var path: String
        var query: String
        var head: String
        var body: [UInt8]
        /// The number of calls before it.
        var index: Int

        var text: String { String(decoding: body, as: UTF8.self) }
        var json: JSON { (try? JSON(parsing: body)) ?? .null }

        func header(_ name: String) -> String? {
            let lines = head.components(separatedBy: "\r\n")
            let line = lines.first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
            return line.map { String($0.dropFirst(name.count + 1)).trimmingCharacters(in: .whitespaces) }
        }
    }

    /// What is done to answer.
    enum Step: Sendable {
        /// These bytes as they are.
        case bytes(String)
        /// These bytes, one by one.
        case drops(String)
        /// Waits until the test lets it go on.
        case wait(DispatchSemaphore)
        /// These bytes until the client has enough.
        case endless(String)
        /// Says nothing more until the client leaves.
        case hang
    }

    let port: Int
    /// A value for each call whose client left before the answer was over.
    let left: AsyncStream<Int>
    private let leftSink: AsyncStream<Int>.Continuation
    private let listener: Int32
    private let answer: @Sendable (Call) -> [Step]
    private let received = Mutex<[Call]>([])

    init(_ answer: @escaping @Sendable (Call) -> [Step]) {
        self.answer = answer
        (left, leftSink) = AsyncStream.makeStream()
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        port = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                _ = bind(listener, raw, length)
                _ = listen(listener, 64)
                _ = getsockname(listener, raw, &length)
            }
            return Int(UInt16(bigEndian: $0.pointee.sin_port))
        }
        Thread.detachNewThread { [self] in
            while case let client = accept(listener, nil, nil), client >= 0 {
                Thread.detachNewThread { self.serve(client) }
            }
            close(listener)
        }
    }

    /// A server that always does the same.
    convenience init(_ steps: Step...) { self.init { _ in steps } }

    var url: String { "http://127.0.0.1:\(port)" }
    /// The calls so far.
    var calls: [Call] { received.withLock { $0 } }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// A whole answer.
    static func whole(_ body: String, type: String? = "application/json") -> Step { whole(200, body, type: type) }

    /// A whole answer with this status.
    static func whole(_ status: Int, _ body: String, type: String? = "application/json") -> Step {
        let kind = type.map { "Content-Type: \($0)\r\n" } ?? ""
        let length = "Content-Length: \(body.utf8.count)\r\n"
        return .bytes("HTTP/1.1 \(status) X\r\n\(kind)\(length)Connection: close\r\n\r\n\(body)")
    }

    /// The head of an answer whose end is the end of the connection.
    static func head(_ type: String = "text/event-stream; charset=utf-8") -> Step {
        .bytes("HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\nConnection: close\r\n\r\n")
    }

    private func serve(_ client: Int32) {
        defer { close(client) }
        var bytes: [UInt8] = []
        let mark = Array("\r\n\r\n".utf8)
        var end: Int?
        while end == nil, receive(client, &bytes) {
            end = bytes.indices.first { bytes[$0...].starts(with: mark) }
        }
        guard let end else { return }
        let head = String(decoding: bytes[..<end], as: UTF8.self)
        var call = Call(method: "", path: "", query: "", head: head, body: [], index: 0)
        let length = call.header("Content-Length").flatMap { Int($0) } ?? 0
        if call.header("Expect") != nil { _ = send(client, Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) }
        while bytes.count < end + 4 + length, receive(client, &bytes) {}
        call.body = Array(bytes[(end + 4)...])
        let words = head.split(separator: " ")
        let target = words[1].split(separator: "?", maxSplits: 1)
        call.method = String(words[0])
        call.path = String(target[0])
        call.query = target.count > 1 ? String(target[1]) : ""
        received.withLock { calls in
            call.index = calls.count
            calls.append(call)
        }
        for step in answer(call) {
            guard perform(step, client) else {
                leftSink.yield(call.index)
                return
            }
        }
    }

    private func perform(_ step: Step, _ client: Int32) -> Bool {
        switch step {
        case .bytes(let text): return send(client, Array(text.utf8))
        case .drops(let text):
            for byte in text.utf8 {
                guard send(client, [byte]) else { return false }
                // The kernel must not put them together again.
                usleep(200)
            }
            return true
        case .wait(let semaphore):
            semaphore.wait()
            return true
        case .endless(let text):
            let bytes = Array(text.utf8)
            while send(client, bytes) {}
            return false
        case .hang:
            var bytes: [UInt8] = []
            while receive(client, &bytes) {}
            return false
        }
    }

    private func receive(_ client: Int32, _ bytes: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(client, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        bytes += buffer[..<count]
        return true
    }

    private func send(_ client: Int32, _ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(client, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }
}
