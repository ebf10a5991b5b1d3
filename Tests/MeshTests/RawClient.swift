// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Glibc
import MallaTestKit
import Plumbing

/// A client that sends exactly the bytes it is told to, and reads what comes back or does not.
actor RawClient {
    private nonisolated let loop = LoopThread(name: "raw")
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private let descriptor: CInt

    /// Why there is no connection.
    struct NoConnection: Error { let code: CInt }

    /// Connects to a port of this machine.
    ///
    /// - Parameter buffer: the bytes that wait unread here before the other side feels it; 0 leaves it to the system.
    init(port: Int, buffer: CInt = 0) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        if buffer > 0 {
            var size = buffer
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            close(descriptor)
            throw NoConnection(code: errno)
        }
    }

    deinit { close(descriptor) }

    /// Sends what the other side takes within a second; returns whether it took all.
    @discardableResult
    func send(_ text: String) -> Bool {
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Reads until the connection ends, or nothing comes for so long.
    func read(quietFor quiet: Duration = .milliseconds(500)) -> (text: String, hasEnded: Bool) {
        let parts = quiet.components
        var limit = timeval(tv_sec: Int(parts.seconds), tv_usec: Int(parts.attoseconds / 1_000_000_000_000))
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else {
                let hasEnded = count == 0 || errno == ECONNRESET
                return (String(decoding: bytes, as: UTF8.self), hasEnded)
            }
            bytes += chunk[..<count]
        }
    }

    /// Waits until the other side has let the connection go altogether, and not only closed its own half of it.
    func isLetGo(within limit: Duration = .seconds(10)) async throws -> Bool {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            guard send("x") else { return true }
            try await Task.sleep(for: .milliseconds(20))
        }
        return false
    }

    /// The statuses of the answers in a text.
    static func statuses(_ text: String) -> [Int] {
        text.split(separator: "HTTP/1.1 ").compactMap { Int($0.prefix(3)) }
    }
}
