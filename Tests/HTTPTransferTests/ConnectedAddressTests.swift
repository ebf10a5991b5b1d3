// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization
import Testing

@testable import HTTPTransfer

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What is checked is the address that is connected to, whatever a name said before.
@Suite(.timeLimit(.minutes(1))) struct ConnectedAddressTests {
    /// 127.0.0.1 stands for what is forbidden, 127.0.0.2 for what is allowed; both listen on the same port.
    let inner: TinyServer
    let outer: TinyServer
    let names = Names()

    final class Names: Sendable {
        let addresses = Mutex<[String]>([])
        let asked = Mutex(0)
    }

    init() throws {
        inner = try TinyServer()
        outer = try TinyServer(address: 0x7F00_0002, port: inner.port)
    }

    private func client() throws -> CurlTransfer {
        let allowed = try #require(CIDR(parsing: "127.0.0.2"))
        var settings = TransferSettings(policy: .publicOnly(allowing: [allowed]))
        settings.lookUp = { [names] _ in
            names.asked.withLock { $0 += 1 }
            return names.addresses.withLock { $0 }
        }
        return CurlTransfer(settings: settings)
    }

    private func outcome(
        _ client: CurlTransfer,
        _ path: String = "/leave"
    ) async -> (status: Int?, error: TransferError?) {
        let url = "http://hooks.example:\(inner.port)\(path)"
        do throws(TransferError) {
            return (try await client.send(TransferRequest("GET", url, timeout: .seconds(5))).head.status, nil)
        } catch {
            return (nil, error)
        }
    }

    private var counts: (inner: Int, outer: Int) {
        (inner.connections.withLock { $0 }, outer.connections.withLock { $0 })
    }

    @Test func aNameThatTurnsIntoAForbiddenAddressIsNotConnectedTo() async throws {
        let client = try client()
        names.addresses.withLock { $0 = ["127.0.0.2"] }
        try NetworkPolicy.publicOnly(allowing: []).check(url: "http://hooks.example/")
        #expect(await outcome(client).status == 200)
        #expect(counts == (0, 1))
        // The name changes between one connection and the next.
        names.addresses.withLock { $0 = ["127.0.0.1"] }
        let error = await outcome(client).error
        #expect(error?.code == .forbidden && error?.isRetriable == false)
        #expect(error?.reason.contains("127.0.0.1") == false, "an answer must not tell what a name stands for inside")
        #expect(counts == (0, 1))
        names.addresses.withLock { $0 = ["127.0.0.2"] }
        #expect(await outcome(client).status == 200)
        #expect(names.asked.withLock { $0 } == 3)
    }

    @Test(arguments: [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"], ["[::1]", "127.0.0.1", "127.0.0.2"]])
    func ofSeveralAddressesOnlyAllowedOnesAreConnectedTo(_ addresses: [String]) async throws {
        let client = try client()
        names.addresses.withLock { $0 = addresses }
        for _ in 0..<3 { #expect(await outcome(client).status == 200) }
        #expect(counts == (0, 3))
    }

    @Test(arguments: [
        ["127.0.0.1"], ["127.0.0.3", "127.0.0.1"], ["[::ffff:127.0.0.1]"], ["[::1]"], ["169.254.169.254"],
    ])
    func aNameOfForbiddenAddressesAloneIsForbidden(_ addresses: [String]) async throws {
        let client = try client()
        names.addresses.withLock { $0 = addresses }
        #expect(await outcome(client).error?.code == .forbidden)
        do {
            let url = "http://hooks.example:\(inner.port)/"
            _ = try await client.stream(TransferRequest("POST", url, body: .bytes([1])))
            Issue.record("a stream must be refused as well")
        } catch {
            #expect(error.code == .forbidden)
        }
        #expect(counts == (0, 0))
    }

    @Test func aRedirectIsAnAnswerAndNotFollowed() async throws {
        let client = try client()
        names.addresses.withLock { $0 = ["127.0.0.2"] }
        #expect(await outcome(client, "/redirect").status == 302)
        #expect(await outcome(client, "/redirect").status == 302)
        #expect(counts == (0, 1))
    }

    @Test func theEnvironmentsProxiesAreNotUsed() async throws {
        let variables = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
        for name in variables { setenv(name, "http://127.0.0.1:\(inner.port)", 1) }
        defer { for name in variables { unsetenv(name) } }
        names.addresses.withLock { $0 = ["127.0.0.2"] }
        #expect(await outcome(try client()).status == 200)
        #expect(counts == (0, 1))
    }

    @Test func noSocketIsOpenedForAnotherFamily() {
        // 40 is AF_VSOCK.
        for family in [AF_UNIX, AF_UNSPEC, 40] {
            var address = sockaddr()
            address.sa_family = sa_family_t(family)
            #expect(NetworkPolicy.publicOnly(allowing: []).refusal(of: &address) != nil, "\(family)")
            #expect(NetworkPolicy.anywhere.refusal(of: &address) == nil)
        }
    }
}
