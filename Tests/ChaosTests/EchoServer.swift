// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import NIOCore
import NIOPosix
import Plumbing
import Synchronization

@testable import MallaChaos

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A proxy alone, with a loop of its own.
struct EchoProxies {
    let proxy: LinkProxy
    private let group: MultiThreadedEventLoopGroup

    init(to port: Int) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        proxy = try await LinkProxy(to: port, on: group)
    }

    func stop() async throws {
        try await proxy.stop()
        try await group.shutdownGracefully()
    }
}

/// A server that sends back what it gets and reads no faster than that is taken; each connection has a thread.
final class EchoServer: Sendable {
    let port: Int
    private let listener: CInt
    private let connections = Mutex<[CInt]>([])
    private let count = Mutex(0)

    init() throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (descriptor, size) = (listener, length)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                _ = bind(descriptor, raw, size)
                _ = listen(descriptor, 16)
                _ = getsockname(descriptor, raw, &length)
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        EchoThread.run { [self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                connections.withLock { $0.append(connection) }
                EchoThread.run { [self] in serve(connection) }
            }
        }
    }

    /// How many bytes it has read.
    var received: Int { count.withLock { $0 } }

    /// Takes nothing any more and closes what there is.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        connections.withLock { for connection in $0 { shutdown(connection, Int32(SHUT_RDWR)) } }
    }

    private func serve(_ connection: CInt) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let got = recv(connection, &buffer, buffer.count, 0)
            guard got > 0 else { break }
            count.withLock { $0 += got }
            var sent = 0
            while sent < got {
                let done = buffer[sent..<got].withUnsafeBytes {
                    send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard done > 0 else { break }
                sent += done
            }
        }
        connections.withLock { $0.removeAll { $0 == connection } }
        close(connection)
    }
}

/// A plain blocking socket; reads and writes run on threads of their own.
final class EchoClient: Sendable {
    struct Broken: Error, Hashable {
        let code: CInt
    }

    private let descriptor: CInt

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let socket = descriptor
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw Broken(code: errno) }
    }

    func write(_ bytes: [UInt8]) async throws {
        let descriptor = descriptor
        try await EchoThread.value {
            var sent = 0
            while sent < bytes.count {
                let done = bytes[sent...].withUnsafeBytes {
                    send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard done > 0 else { throw Broken(code: errno) }
                sent += done
            }
        }
    }

    /// Reads so many bytes, fewer when the other side ends before.
    func read(_ count: Int) async throws -> [UInt8] {
        let descriptor = descriptor
        return try await EchoThread.value {
            var bytes = [UInt8](repeating: 0, count: count)
            var got = 0
            while got < count {
                let some = bytes[got...].withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
                guard some >= 0 else { throw Broken(code: errno) }
                guard some > 0 else { break }
                got += some
            }
            return Array(bytes[..<got])
        }
    }

    func echo(_ bytes: [UInt8]) async throws -> [UInt8] {
        try await write(bytes)
        let echoed = try await read(bytes.count)
        guard echoed.count == bytes.count else { throw Broken(code: 0) }
        return echoed
    }

    /// Whether neither a byte nor an end nor an error comes for so long.
    func isSilent(for limit: Duration) async throws -> Bool {
        let descriptor = descriptor
        return try await EchoThread.value {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&entry, 1, Int32(limit / .milliseconds(1))) == 0
        }
    }

    func finish() async { shutdown(descriptor, Int32(SHUT_WR)) }

    func close() async { shutdown(descriptor, Int32(SHUT_RDWR)) }

    deinit { _ = Glibc.close(descriptor) }
}

/// Threads for blocking calls.
enum EchoThread {
    static func run(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body))
        pthread_create(
            &thread,
            nil,
            {
                Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().body()
                return nil
            },
            box.toOpaque()
        )
        pthread_detach(thread)
    }

    static func value<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let answer = OneShot<Value>()
        run { _ = answer.finish(Result { try body() }) }
        return try await answer.value()
    }

    private final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
