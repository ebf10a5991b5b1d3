// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import NIOCore
internal import NIOPosix

/// A TCP proxy on loopback before one server, for one user of it, that can break what passes.
///
/// It holds at most one chunk (64 KiB) for each direction of a connection: who does not read makes the other side's
/// writes wait, as without a proxy.
final class LinkProxy: Sendable {
    private let listener: any Channel
    private let line: NIOLoopBound<ProxyLine>

    /// The port that it listens on.
    let port: Int

    /// Starts a proxy.
    ///
    /// - Parameters:
    ///   - target: where the server listens on loopback.
    ///   - group: its loops; the proxy takes one of them and stays on it.
    init(to target: Int, on group: any EventLoopGroup) async throws {
        let loop = group.next()
        let line = try await loop.submit {
            NIOLoopBound(ProxyLine(target: target, loop: loop), eventLoop: loop)
        }.get()
        self.line = line
        listener = try await ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { client in
                client.eventLoop.makeCompletedFuture { try line.value.expect(client) }
            }
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: ProxyLine.chunk))
            .bind(host: "127.0.0.1", port: 0).get()
        guard let bound = listener.localAddress?.port else { throw MeshFailure("a proxy has no port") }
        port = bound
    }

    /// Changes what happens to what passes, also on the connections that exist; returns when it is so.
    func set(_ mode: LinkMode) async throws {
        let line = line
        try await listener.eventLoop.submit { line.value.set(mode) }.get()
    }

    /// How many connections are open through it; one that is half closed counts.
    var connections: Int {
        get async throws {
            let line = line
            return try await listener.eventLoop.submit { line.value.connections }.get()
        }
    }

    /// Ends it and resets its connections.
    func stop() async throws {
        try await listener.close().get()
        try await set(.cut)
    }
}
