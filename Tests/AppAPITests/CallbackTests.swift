// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import Callbacks
import Hummingbird
import HummingbirdTesting
import Ledger
import LedgerSQLite
import Logging
import Plumbing
import ServiceLifecycle
import Testing
import Workflow

@testable import AppAPI

@Suite(.timeLimit(.minutes(1))) struct CallbackTests {
    struct Received: Sendable {
        let path: String
        let headers: HTTPFields
        let body: [UInt8]
    }

    /// A real receiver: tells what came and answers 200.
    private func withReceiver(
        _ body: @escaping @Sendable (Int, AsyncStream<Received>) async throws -> Void
    ) async throws {
        let (stream, sink) = AsyncStream<Received>.makeStream()
        let (ports, portSink) = AsyncStream<Int>.makeStream()
        let router = Router()
        router.post("**") { request, _ -> Response in
            let bytes = Array(try await request.body.collect(upTo: 1 << 20).readableBytesView)
            sink.yield(Received(path: request.uri.path, headers: request.headers, body: bytes))
            return Response(status: .ok)
        }
        let app = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in portSink.yield(channel.localAddress?.port ?? 0) },
            logger: Logger(label: "receiver")
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            let port = try #require(await ports.first { _ in true })
            try await body(port, stream)
            group.cancelAll()
        }
    }

    @Test func callsBackOnceSignedWithFrozenBytes() async throws {
        try await withReceiver { port, received in
            let fixture = try await MarketplaceFixture(callbackURL: "http://127.0.0.1:\(port)/hook")
            try await fixture.serve(withServices: true) { client in
                let task = try await client.call(request: "r-1").task
                try await fixture.publishWork("alpha", returning: ["n": 2])
                try await fixture.publishWork("beta", returning: ["n": 3])
                let call = try #require(await received.first { _ in true })
                #expect(call.headers.first(named: "x-marketplace-token") == "token")
                #expect(call.headers.first(named: "x-request-id") == "r-1")
                #expect(call.headers.first(named: "x-user-id") == "ann")
                let json = try JSON(parsing: call.body)
                #expect(json["taskId"]?.string == task && json["errorCode"]?["status"]?.string == "CO_000")
                #expect(json["response"] == ["dataType": "META_DATA", "data": ["n": 3]])
                let secret = try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
                let id = try #require(call.headers.first(named: "webhook-id"))
                let seconds = try #require(call.headers.first(named: "webhook-timestamp").flatMap { Int64($0) })
                #expect(
                    call.headers.first(named: "webhook-signature")
                        == secret.sign(id: id, timestamp: seconds, body: call.body)
                )
                // The attempt is recorded after the receiver's answer; only then may it be replayed.
                var state: String?
                while state != "delivered" {
                    let list = try await client.send(.get, "/tasks/\(task)/callbacks")
                    state = list.json["response"]?["callbacks"]?.array?.first?["state"]?.string
                    try Task.checkCancellation()
                    await Task.yield()
                }
                let replay = try await client.send(.post, "/tasks/\(task)/callbacks/replay")
                #expect(replay.json["response"]?["replayed"] == 1)
                let again = try #require(await received.first { _ in true })
                #expect(again.body == call.body && again.headers.first(named: "webhook-id") == id)
            }
        }
    }
}

extension MarketplaceFixture {
    /// Waits until the service's job was handed over, runs it, and publishes its completion as a worker does.
    func publishWork(_ service: String, returning result: JSON) async throws {
        let entry = try #require(await handedOver.jobs.first { $0.service == service })
        let lease = MeshID()
        let claimed = try await ledger.claim(service: service, worker: "w-1", leases: [lease])
        #expect(claimed.first?.job.id == entry.job)
        let completion = Completion(
            job: entry.job,
            lease: lease,
            failure: nil,
            result: result.bytes,
            runMilliseconds: 1
        )
        try await broker.publish([Message(queue: QueueName.completions(app: "contract"), body: completion.body)])
    }
}
