// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Synchronization
import Testing

@testable import MallaChaos

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@Suite(.timeLimit(.minutes(1))) struct LinkProxyTests {
    /// Runs `body` with a proxy before an echo server.
    private func withProxy(_ body: (LinkProxy, EchoServer) async throws -> Void) async throws {
        let server = try EchoServer()
        let proxies = try await EchoProxies(to: server.port)
        try await body(proxies.proxy, server)
        try await proxies.stop()
        server.stop()
    }

    @Test func cleanPassesBothWaysAndTheEnd() async throws {
        try await withProxy { proxy, _ in
            let client = try EchoClient(port: proxy.port)
            #expect(try await client.echo([1, 2, 3]) == [1, 2, 3])
            #expect(try await proxy.connections == 1)
            // The end of one direction is passed on: the server answers it with the end of the other.
            await client.finish()
            #expect(try await client.read(1) == [])
            await client.close()
            try await until { try await proxy.connections == 0 }
        }
    }

    @Test func aServerThatIsAwayResets() async throws {
        try await withProxy { proxy, server in
            server.stop()
            let client = try EchoClient(port: proxy.port)
            await #expect(throws: EchoClient.Broken.self) { try await client.echo([1]) }
        }
    }

    @Test func cutResetsWhatExistsAndWhatComes() async throws {
        try await withProxy { proxy, _ in
            let old = try EchoClient(port: proxy.port)
            #expect(try await old.echo([1]) == [1])
            try await proxy.set(.cut)
            await #expect(throws: EchoClient.Broken(code: ECONNRESET)) { try await old.read(1) }
            let new = try EchoClient(port: proxy.port)
            await #expect(throws: EchoClient.Broken(code: ECONNRESET)) { try await new.read(1) }
            try await proxy.set(.clean)
            let after = try EchoClient(port: proxy.port)
            #expect(try await after.echo([2]) == [2])
            #expect(try await proxy.connections == 1)
        }
    }

    @Test func halfOpenPassesNothingAndThenResets() async throws {
        try await withProxy { proxy, server in
            let old = try EchoClient(port: proxy.port)
            #expect(try await old.echo([1]) == [1])
            try await proxy.set(.halfOpen)
            let new = try EchoClient(port: proxy.port)
            try await old.write([2])
            try await new.write([3])
            #expect(try await old.isSilent(for: .milliseconds(300)))
            #expect(try await new.isSilent(for: .milliseconds(100)))
            #expect(server.received == 1)
            #expect(try await proxy.connections == 2)
            try await proxy.set(.clean)
            await #expect(throws: EchoClient.Broken(code: ECONNRESET)) { try await old.read(1) }
            await #expect(throws: EchoClient.Broken(code: ECONNRESET)) { try await new.read(1) }
            try await until { try await proxy.connections == 0 }
            #expect(try await EchoClient(port: proxy.port).echo([4]) == [4])
        }
    }

    @Test func halfOpenHidesThatTheServerIsGone() async throws {
        try await withProxy { proxy, server in
            let client = try EchoClient(port: proxy.port)
            #expect(try await client.echo([1]) == [1])
            try await proxy.set(.halfOpen)
            server.stop()
            #expect(try await client.isSilent(for: .milliseconds(300)))
        }
    }

    @Test func slowIsLateAndKeepsOrderAndBytes() async throws {
        try await withProxy { proxy, _ in
            let client = try EchoClient(port: proxy.port)
            try await proxy.set(.slow)
            let clock = ContinuousClock()
            var echoed: [UInt8] = []
            let took = try await clock.measure { echoed = try await client.echo([1, 2, 3]) }
            #expect(echoed == [1, 2, 3])
            // Late both ways.
            #expect(took >= .milliseconds(300))
            let bytes = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let second = try await clock.measure { echoed = try await client.echo(bytes) }
            #expect(echoed == bytes)
            #expect(second >= .milliseconds(600))
            try await proxy.set(.clean)
            #expect(try await client.echo([9]) == [9])
            #expect(try await clock.measure { _ = try await client.echo([8]) } < .milliseconds(150))
        }
    }

    @Test func tenMegabytesPassAReaderThatWaits() async throws {
        try await withProxy { proxy, server in
            let client = try EchoClient(port: proxy.port)
            let bytes = (0..<10 << 20).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
            let writing = Task { try await client.write(bytes) }
            // Nobody reads the echoes: what the kernel and the proxy hold is far less than all.
            try await until { server.received > 0 }
            var last = -1
            while server.received != last {
                last = server.received
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(last < bytes.count)
            #expect(try await client.read(bytes.count) == bytes)
            try await writing.value
        }
    }
}
