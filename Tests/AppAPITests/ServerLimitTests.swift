// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// What only a server on a socket shows: bodies that are too large, never end, or come with a broken head.
@Suite(.timeLimit(.minutes(1))) struct ServerLimitTests {
    private static func head(_ more: String) -> String {
        "POST /call HTTP/1.1\r\nhost: x\r\nx-marketplace-token: token\r\nx-user-id: ann\r\n\(more)\r\n"
    }

    @Test func aHugeBodyIsRefusedBeforeItIsRead() async throws {
        let fixture = try await MarketplaceFixture { $0.maxBody = 4096 }
        try await LiveServer.run(fixture.api.router()) { port in
            // A gibibyte is announced and never sent: who waits for it would not answer.
            let announced = Self.head("content-length: 1073741824\r\n") + "{"
            let answer = await LiveServer.exchange(Array(announced.utf8), port: port)
            #expect(answer.hasPrefix("HTTP/1.1 413") && answer.contains("CO_400") && answer.contains("4096"))
            // Without a length, it is over once the limit is passed; its end never comes either.
            let chunk = "1000\r\n" + String(repeating: "x", count: 4096) + "\r\n"
            let chunked = Self.head("transfer-encoding: chunked\r\n") + chunk + chunk
            let second = await LiveServer.exchange(Array(chunked.utf8), port: port)
            #expect(second.hasPrefix("HTTP/1.1 413") && second.contains("CO_400"))
        }
    }

    @Test func aBodyThatNeverEndsIsGivenUp() async throws {
        let fixture = try await MarketplaceFixture { $0.requestTimeout = .milliseconds(300) }
        try await LiveServer.run(fixture.api.router()) { port in
            let bytes = Array((Self.head("content-length: 100\r\n") + "{").utf8)
            let answer = await LiveServer.exchange(bytes, port: port)
            #expect(answer.hasPrefix("HTTP/1.1 503") && answer.contains("CO_500") && answer.contains("300 ms"))
        }
    }

    @Test(arguments: ["x-request-id: a\0b\r\n", "x-request-id: a\u{1}b\r\n", "x request: a\r\n"])
    func aBrokenHeadIsABadRequestAndHarmsNobodyElse(_ line: String) async throws {
        let fixture = try await MarketplaceFixture()
        try await LiveServer.run(fixture.api.router()) { port in
            let body = #"{"method":"chain","payload":{"n":1}}"#
            let length = "content-length: \(body.utf8.count)\r\n"
            let answer = await LiveServer.exchange(Array((Self.head(line + length) + body).utf8), port: port)
            #expect(answer.hasPrefix("HTTP/1.1 400"), "\(answer.prefix(200))")
            let good = await LiveServer.exchange(Array((Self.head(length) + body).utf8), port: port)
            #expect(good.hasPrefix("HTTP/1.1 200") && good.contains("CO_001"))
        }
    }
}
