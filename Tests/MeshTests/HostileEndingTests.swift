// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import Testing
import Workflow

/// How connections end: none stays for ever, and no answer is lost to the end of one.
@Suite(.timeLimit(.minutes(2)))
struct HostileEndingTests {
    private static let get = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let post = "POST /api/v1/jobs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer st\r\n"

    @Test func connectionsEndAndTheirAnswersArrive() async throws {
        try await HostileMesh.with(["MAX_BODY": "64KiB", "MAX_CONNECTIONS": "16"]) { port in
            try await refusedConnectionsAreLetGo(port)
            try await slowUploadersReadWhyTheyAreRefused(port)
            try await crowdedConnectionsAreToldToClose(port)
        }
    }

    /// A client that keeps its end open holds no place.
    private func refusedConnectionsAreLetGo(_ port: Int) async throws {
        for (name, request, statuses) in [
            ("unclear", Self.get + "GET /healthz HTTP/1.1\r\n\r\n", [200, 400]),
            ("no HTTP", Self.get + "\u{1}\u{2}\r\n\r\n", [200, 400]),
            ("last", Self.get.replacing("\r\n\r\n", with: "\r\nConnection: close\r\n\r\n"), [200]),
        ] {
            let client = try RawClient(port: port)
            await client.send(request)
            let (text, hasEnded) = await client.read(quietFor: .seconds(5))
            #expect(RawClient.statuses(text) == statuses && hasEnded, "\(name): \(text)")
            #expect(try await client.isLetGo(), "\(name): the connection stays")
        }
    }

    /// The link takes longer for the rest of the body than a moment; a reset would lose the answer.
    private func slowUploadersReadWhyTheyAreRefused(_ port: Int) async throws {
        let client = try RawClient(port: port)
        await client.send(Self.post + "Content-Length: 400000\r\n\r\n")
        for number in 0..<8 {
            let isTaken = await client.send(String(repeating: "a", count: 50_000))
            #expect(isTaken, "reset at part \(number)")
            try await Task.sleep(for: .milliseconds(450))
        }
        let (text, hasEnded) = await client.read(quietFor: .seconds(5))
        #expect(RawClient.statuses(text) == [413] && hasEnded, "\(text)")
        #expect(try await client.isLetGo(), "a body that has come is waited for")
    }

    private func crowdedConnectionsAreToldToClose(_ port: Int) async throws {
        let client = try RawClient(port: port)
        await client.send(Self.get)
        let before = await client.read().text
        #expect(RawClient.statuses(before) == [200] && !before.contains("Connection: close"), "\(before)")
        let others = try (0..<14).map { _ in try RawClient(port: port) }
        // The server learns of them in the order in which they come.
        _ = await others.last?.send(Self.get)
        _ = await others.last?.read()
        await client.send(Self.get)
        let (text, hasEnded) = await client.read(quietFor: .seconds(3))
        #expect(RawClient.statuses(text) == [200] && text.contains("Connection: close") && hasEnded, "\(text)")
        _ = consume others
    }
}
