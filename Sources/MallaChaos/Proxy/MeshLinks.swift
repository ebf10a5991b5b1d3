// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import NIOCore
internal import NIOPosix

/// The proxies of a mesh, one for each link, on one thread.
final class MeshLinks: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let proxies: [Link: LinkProxy]

    /// Starts a proxy for every link.
    ///
    /// - Parameter target: the port that a link leads to.
    init(to target: (Link) throws -> Int) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var proxies: [Link: LinkProxy] = [:]
        for link in Link.all { proxies[link] = try await LinkProxy(to: try target(link), on: group) }
        self.proxies = proxies
    }

    /// The port that a link begins at.
    func port(of link: Link) throws -> Int { try proxy(of: link).port }

    /// Changes what happens to what passes a link.
    func set(_ mode: LinkMode, on link: Link) async throws { try await proxy(of: link).set(mode) }

    /// Lets everything pass everywhere; what was stuck is reset.
    func clean() async throws {
        for proxy in proxies.values { try await proxy.set(.clean) }
    }

    /// The open connections of each link.
    func connections() async throws -> [Link: Int] {
        var counts: [Link: Int] = [:]
        for (link, proxy) in proxies { counts[link] = try await proxy.connections }
        return counts
    }

    /// Ends them with all their connections.
    func stop() async throws {
        for proxy in proxies.values { try await proxy.stop() }
        try await group.shutdownGracefully()
    }

    private func proxy(of link: Link) throws -> LinkProxy {
        guard let proxy = proxies[link] else { throw MeshFailure("there is no link \(link)") }
        return proxy
    }
}
