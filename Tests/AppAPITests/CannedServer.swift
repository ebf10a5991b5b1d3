// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Synchronization

/// A real HTTP server on loopback that does one thing to every request: answers these bytes, hangs, or hangs up.
final class CannedServer: Sendable {
    enum Behaviour: Sendable {
        /// Writes these bytes as they are and closes the connection.
        case answer(String)
        /// Never answers.
        case hang
        /// Closes the connection once the request is there.
        case hangUp
    }

    let port: Int
    private let listener: Int32
    private let behaviour: Behaviour
    private let requests = Mutex<[String]>([])

    init(_ behaviour: Behaviour) {
        self.behaviour = behaviour
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        port = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                _ = bind(listener, raw, length)
                _ = listen(listener, 16)
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

    /// An answer of this status and body.
    static func answer(_ status: String, _ body: String, _ headers: String...) -> Behaviour {
        let head = ["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)", "Connection: close"] + headers
        return .answer(head.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    /// The requests so far, head and body.
    var received: [String] { requests.withLock { $0 } }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    private func serve(_ client: Int32) {
        defer { close(client) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while !Self.isWhole(bytes) {
            let count = recv(client, &chunk, chunk.count, 0)
            guard count > 0 else { return }
            bytes += chunk.prefix(count)
        }
        requests.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) }
        switch behaviour {
        case .answer(let text): _ = send(client, text, text.utf8.count, Int32(MSG_NOSIGNAL))
        case .hang: while recv(client, &chunk, 1, 0) > 0 {}
        case .hangUp: break
        }
    }

    private static func isWhole(_ request: [UInt8]) -> Bool {
        let text = String(decoding: request, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return false }
        let lines = text[..<end.lowerBound].lowercased().split(separator: "\r\n")
        let length = lines.first { $0.hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
        return text[end.upperBound...].utf8.count >= length
    }
}
