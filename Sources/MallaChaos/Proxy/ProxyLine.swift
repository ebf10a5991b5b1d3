// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import NIOCore
internal import NIOPosix

/// All connections of one proxy and what happens to them; it lives on one event loop and is touched nowhere else.
final class ProxyLine {
    /// The most bytes that are held for a direction of a connection.
    static let chunk = 64 << 10

    private(set) var mode = LinkMode.clean
    private let target: Int
    private let loop: any EventLoop
    private var pairs: [ObjectIdentifier: ProxyPair] = [:]

    init(target: Int, loop: any EventLoop) {
        self.target = target
        self.loop = loop
    }

    var connections: Int { pairs.count }

    /// Prepares a connection that comes in.
    func expect(_ client: any Channel) throws {
        let pair = ProxyPair(line: self)
        try client.pipeline.syncOperations.addHandler(pair.client)
    }

    /// A connection is up: it is reset, left hanging, or connected to the server.
    func opened(_ pair: ProxyPair) {
        guard mode != .cut else { return pair.reset() }
        pairs[ObjectIdentifier(pair)] = pair
        guard mode != .halfOpen else { return }
        let server = pair.server
        let connection = ClientBootstrap(group: loop)
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.chunk))
            .connect(host: "127.0.0.1", port: target)
        connection.assumeIsolated().whenComplete { result in
            do {
                let channel = try result.get()
                try channel.pipeline.syncOperations.addHandler(server)
                pair.connected()
            } catch {
                // The server is not there: the user sees a connection that is reset.
                pair.reset()
            }
        }
    }

    /// Neither end of a connection is open any more.
    func closed(_ pair: ProxyPair) { pairs[ObjectIdentifier(pair)] = nil }

    /// Changes the mode for what exists and what comes.
    func set(_ new: LinkMode) {
        let old = mode
        mode = new
        if new == .cut || old == .halfOpen && new != .halfOpen {
            for pair in pairs.values { pair.reset() }
        }
    }

    /// How late a chunk is while the link is slow.
    func lateness(of bytes: Int) -> TimeAmount {
        .milliseconds(.random(in: 150...300) + Int64(bytes) * 1000 / Int64(Self.chunk))
    }
}
