// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import Malla

/// What a client can do to a server with bytes alone: requests that two servers read in two ways, slowness, numbers.
@Suite(.timeLimit(.minutes(3)))
struct HostileServerTests {
    private static let next = "GET /healthz HTTP/1.1\r\nHost: next\r\n\r\n"
    private static let post = "POST /api/v1/jobs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer st\r\n"
    private static let chunked = "\r\n2\r\n{}\r\n0\r\n\r\n"

    /// Each is sent with a second request right behind it, which must not be answered where the first is unclear.
    private static let refused = [
        "CL and TE": post + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n" + chunked,
        "two lengths": post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "a list of lengths": post + "Content-Length: 2, 2\r\n\r\n{}",
        "a signed length": post + "Content-Length: +2\r\n\r\n{}",
        "gzip, chunked": post + "Transfer-Encoding: gzip, chunked\r\n" + chunked,
        "identity, chunked": post + "Transfer-Encoding: identity, chunked\r\n" + chunked,
        "chunked twice": post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" + chunked,
        "xchunked": post + "Transfer-Encoding: xchunked\r\n" + chunked,
        "no encoding": post + "Transfer-Encoding: \r\n" + chunked,
        "chunked in 1.0": post.replacing("1.1", with: "1.0") + "Transfer-Encoding: chunked\r\n" + chunked,
        "space before the colon": post + "Transfer-Encoding : chunked\r\n" + chunked,
        "a folded line": post + "Transfer-Encoding:\r\n chunked\r\n" + chunked,
        "bare line feeds": "GET /healthz HTTP/1.1\nHost: a\n\n",
        "a chunk's length overflows": post + "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n",
        "a chunk without its end": post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n",
        "two hosts": "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "no host": "GET /healthz HTTP/1.1\r\n\r\n",
        "a tunnel": "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "NUL in a header": "GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n",
        "a huge field": "GET /healthz HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 20_000))\r\n\r\n",
        "300 fields": "GET /healthz HTTP/1.1\r\nHost: a\r\n\(String(repeating: "A: b\r\n", count: 300))\r\n",
        "a huge address": "GET /\(String(repeating: "a", count: 100_000)) HTTP/1.1\r\nHost: a\r\n\r\n",
        "HTTP/0.9": "GET /healthz\r\n\r\n",
    ]

    @Test func unclearRequestsAreRefusedAndEndTheConnection() async throws {
        try await HostileMesh.with { port in
            for (name, request) in Self.refused {
                let client = try RawClient(port: port)
                await client.send(request + Self.next)
                let (text, hasEnded) = await client.read(quietFor: .seconds(5))
                #expect(RawClient.statuses(text).first == 400 && hasEnded, "\(name): \(text)")
                #expect(!text.contains(#""status":"ok""#), "\(name): the request behind it was answered")
            }
        }
    }

    @Test func chunksThatCanNotBeReadAreTheClientsFaultAtAnAppAPI() async throws {
        let call =
            "POST /holding/stats HTTP/1.1\r\nHost: a\r\nX-Marketplace-Token: mt\r\nX-User-Id: ann\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n"
        try await HostileMesh.with { _, port in
            for chunks in ["2g\r\n{}", "+2\r\n{}", "0x2\r\n{}", "10000000000000002\r\n{}", "2\r\n{}0"] {
                let client = try RawClient(port: port)
                await client.send(call + chunks + "\r\n0\r\n\r\n" + Self.next)
                let (text, hasEnded) = await client.read(quietFor: .seconds(5))
                #expect(RawClient.statuses(text) == [400] && hasEnded, "\(chunks): \(text)")
            }
            let client = try RawClient(port: port)
            await client.send(call + "2\r\n{}\r\n0\r\n\r\n")
            #expect(RawClient.statuses(await client.read().text) == [200])
        }
    }

    @Test func properRequestsAreAnsweredInTheirOrder() async throws {
        try await HostileMesh.with { port in
            let client = try RawClient(port: port)
            await client.send(Self.post + "Transfer-Encoding: Chunked\r\n" + Self.chunked + Self.next)
            await client.send(Self.post + "Content-Length: 2\r\n\r\n{}" + Self.next)
            let (text, hasEnded) = await client.read()
            #expect(RawClient.statuses(text) == [422, 200, 422, 200] && !hasEnded, "\(text)")

            // A body that is announced is asked for.
            await client.send(Self.post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            #expect(await client.read().text == "HTTP/1.1 100 Continue\r\n\r\n")
            await client.send("{}" + Self.next)
            #expect(RawClient.statuses(await client.read().text) == [422, 200])

            // One that is too large is refused before it comes, and is not waited for.
            for length in ["99999999", "9223372036854775807", "18446744073709551615"] {
                let client = try RawClient(port: port)
                await client.send(Self.post + "Content-Length: \(length)\r\n\r\n")
                let (text, hasEnded) = await client.read(quietFor: .seconds(5))
                #expect(RawClient.statuses(text) == [413] && hasEnded, "\(length): \(text)")
                #expect(text.contains("Connection: close"))
            }
        }
    }

    @Test func slowClientsAreLetGoAndOthersServed() async throws {
        try await HostileMesh.with(["CLIENT_TIMEOUT": "1s", "MAX_CONNECTIONS": "24"]) { port in
            let head = try RawClient(port: port)
            await head.send("GET /heal")
            let body = try RawClient(port: port)
            await body.send(Self.post + "Content-Length: 1000\r\n\r\n{\"a")
            let asked = try RawClient(port: port)
            await asked.send(Self.post + "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n{\"a")
            let second = try RawClient(port: port)
            await second.send(Self.next + Self.post + "Content-Length: 1000\r\n\r\n{\"a")
            for (client, statuses) in [(head, [408]), (body, [408]), (asked, [100, 408]), (second, [200, 408])] {
                let (text, hasEnded) = await client.read(quietFor: .seconds(10))
                #expect(RawClient.statuses(text) == statuses && hasEnded, "\(text)")
            }

            // Clients that ask for megabytes and read nothing take every place, and give it back.
            var deaf: [RawClient] = []
            let refused: Bool? = try await until(.seconds(20)) {
                // Who has asked nothing is let go after a second: if one got in before them, all come again.
                deaf = []
                for _ in 0..<24 + ClientLimits.localPlaces { deaf.append(try RawClient(port: port, buffer: 4096)) }
                return try await Self.status(port) == 503 ? true : nil
            }
            #expect(refused == true, "one more than there are places is told so")
            let page = "GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"
            for client in deaf { await client.send(String(repeating: page, count: 400)) }
            let served: Bool? = try await until(.seconds(30)) { try await Self.status(port) == 200 ? true : nil }
            #expect(served == true, "connections that nobody reads from are closed")
            _ = consume deaf
        }
    }

    private static func status(_ port: Int) async throws -> Int? {
        let client = try RawClient(port: port)
        await client.send(next.replacing("\r\n\r\n", with: "\r\nConnection: close\r\n\r\n"))
        return RawClient.statuses(await client.read(quietFor: .seconds(2)).text).first
    }
}
