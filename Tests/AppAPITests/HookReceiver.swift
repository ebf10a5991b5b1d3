// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Crypto
import Foundation
import Hummingbird
import Synchronization
import Testing

/// A client's end of callbacks: a real server on loopback, whose answers the test decides.
final class HookReceiver: Sendable {
    struct Received: Sendable {
        let path: String
        let headers: HTTPFields
        let body: [UInt8]
        let at: ContinuousClock.Instant

        func header(_ name: String) -> String? { headers.first { $0.name.canonicalName == name }?.value }

        /// Whether one of the signatures is this secret's, told as Standard Webhooks 1.0 says and not by our code.
        func isSigned(with secret: String) -> Bool {
            guard let key = Data(base64Encoded: String(secret.dropFirst("whsec_".count))),
                let id = header("webhook-id"), let timestamp = header("webhook-timestamp"),
                let signatures = header("webhook-signature")
            else { return false }
            let signed = Data("\(id).\(timestamp).".utf8) + Data(body)
            return signatures.split(separator: " ").contains { signature in
                guard signature.hasPrefix("v1,"), let code = Data(base64Encoded: String(signature.dropFirst(3))) else {
                    return false
                }
                return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: signed, using: .init(data: key))
            }
        }
    }

    let port: Int
    private let calls: AsyncStream<Received>
    private let counted: Counter

    private init(port: Int, calls: AsyncStream<Received>, counter: Counter) {
        self.port = port
        self.calls = calls
        self.counted = counter
    }

    private final class Counter: Sendable { let value = Mutex(0) }

    /// How many requests came.
    var count: Int { counted.value.withLock { $0 } }

    /// The next request.
    func next() async throws -> Received { try #require(await calls.first { _ in true }) }

    /// Runs a receiver; `answer` gets the number of the request, from 1.
    static func run(
        host: String = "127.0.0.1",
        answer: @escaping @Sendable (Int, Received) async -> Response = { _, _ in Response(status: .ok) },
        _ body: @escaping @Sendable (HookReceiver) async throws -> Void
    ) async throws {
        let (calls, sink) = AsyncStream<Received>.makeStream()
        let counter = Counter()
        let router = Router()
        let handle: @Sendable (Request, BasicRequestContext) async throws -> Response = { request, _ in
            let received = Received(
                path: request.uri.path,
                headers: request.headers,
                body: Array(try await request.body.collect(upTo: 1 << 20).readableBytesView),
                at: .now
            )
            let number = counter.value.withLock { count in
                count += 1
                return count
            }
            sink.yield(received)
            return await answer(number, received)
        }
        for path in ["/", "**"] as [RouterPath] {
            router.post(path, use: handle)
            router.get(path, use: handle)
        }
        try await LiveServer.run(router, host: host) { port in
            try await body(HookReceiver(port: port, calls: calls, counter: counter))
        }
    }

    /// An answer that never comes: it ends when the connection does.
    @Sendable static func never(_ number: Int, _ received: Received) async -> Response {
        let (silence, _) = AsyncStream<Void>.makeStream()
        for await _ in silence {}
        return Response(status: .ok)
    }
}
