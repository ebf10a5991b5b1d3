// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import Foundation
import HTTPTransfer
import Hummingbird
import Ledger
import LedgerSQLite
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// Attempts, schedule and signatures, through the API and a real receiver.
@Suite(.timeLimit(.minutes(1))) struct CallbackDeliveryTests {
    @Test func theReferenceVectorPassesTheTestsOwnVerification() throws {
        var headers: HTTPFields = [:]
        headers.set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
        headers.set("webhook-timestamp", "1614265330")
        headers.set("webhook-signature", "v1,bad v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        let body = Array(#"{"test": 2432232314}"#.utf8)
        let vector = HookReceiver.Received(path: "/", headers: headers, body: body, at: .now)
        #expect(vector.isSigned(with: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        #expect(!vector.isSigned(with: "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))
    }

    @Test func theSameBytesComeAgainAfterTheSchedulesNextStep() async throws {
        let refusesFirst: @Sendable (Int, HookReceiver.Received) async -> Response = { number, _ in
            Response(status: number == 1 ? .internalServerError : .noContent)
        }
        try await HookReceiver.run(answer: refusesFirst) { receiver in
            let fixture = try await MarketplaceFixture(callbackURL: "http://127.0.0.1:\(receiver.port)/hook?a=b")
            try await fixture.serve(withServices: true) { client in
                let task = try await client.ended()
                let first = try await receiver.next()
                let refused = try await client.callback(of: task) { $0.attempts.count == 1 }
                #expect(refused.state == "pending" && refused.statuses == [500])
                let wait = try #require(refused.dueAfterLastAttempt)
                #expect(wait > .milliseconds(4990) && wait < .seconds(9), "\(wait)")
                let second = try await receiver.next()
                #expect(second.at - first.at > .milliseconds(4900))
                #expect(second.body == first.body && second.path == first.path)
                #expect(second.header("webhook-id") == first.header("webhook-id"))
                #expect(second.header("webhook-timestamp") != first.header("webhook-timestamp"))
                for received in [first, second] { #expect(received.isSigned(with: Self.secret)) }
                let delivered = try await client.callback(of: task) { $0.state != "pending" }
                #expect(delivered.state == "delivered" && delivered.statuses == [500, 204])
                #expect(delivered.id == first.header("webhook-id") && delivered.json["dueAt"] == .null)
                let envelope = try JSON(parsing: first.body)
                #expect(envelope["response"] == [:] && envelope["errorCode"]?["status"]?.string == "CO_499")
                #expect(envelope["taskId"]?.string == task && envelope["isResponseImmediate"] == false)
            }
        }
    }

    @Test(arguments: [(429, "7", 7), (503, "3600", 3600), (500, "1", 5), (429, "soon", 5)])
    func retryAfterDecidesWhenItIsLater(_ status: Int, _ header: String, _ seconds: Int) async throws {
        let busy: @Sendable (Int, HookReceiver.Received) async -> Response = { number, _ in
            guard number == 1 else { return Response(status: .ok) }
            return Response(status: .init(code: status), headers: [.retryAfter: header])
        }
        try await HookReceiver.run(answer: busy) { receiver in
            let fixture = try await MarketplaceFixture(callbackURL: "http://127.0.0.1:\(receiver.port)/")
            try await fixture.serve(withServices: true) { client in
                let task = try await client.ended()
                let first = try await receiver.next()
                let callback = try await client.callback(of: task) { $0.attempts.count == 1 }
                #expect(callback.state == "pending" && callback.statuses == [status])
                let wait = try #require(callback.dueAfterLastAttempt)
                #expect(wait > .seconds(seconds) - .milliseconds(10) && wait < .seconds(seconds + 4), "\(wait)")
                // A replay does not wait for it.
                #expect(try await client.send(.post, "/tasks/\(task)/callbacks/replay").status == 200)
                let again = try await receiver.next()
                #expect(again.body == first.body && again.header("webhook-id") == first.header("webhook-id"))
                _ = try await client.callback(of: task) { $0.state == "delivered" && $0.statuses == [status, 200] }
            }
        }
    }

    @Test func goneStopsUntilAReplay() async throws {
        let gone: @Sendable (Int, HookReceiver.Received) async -> Response = { number, _ in
            Response(status: number == 1 ? .gone : .ok)
        }
        try await HookReceiver.run(answer: gone) { receiver in
            let fixture = try await MarketplaceFixture(callbackURL: "http://127.0.0.1:\(receiver.port)/")
            try await fixture.serve(withServices: true) { client in
                let task = try await client.ended()
                let first = try await receiver.next()
                let stopped = try await client.callback(of: task) { $0.state != "pending" }
                #expect(stopped.state == "abandoned" && stopped.statuses == [410] && stopped.json["dueAt"] == .null)
                #expect(stopped.attempts.first?["error"]?.string?.contains("410") == true)
                #expect(try await client.send(.post, "/tasks/\(task)/callbacks/replay").status == 200)
                #expect(try await receiver.next().header("webhook-id") == first.header("webhook-id"))
                _ = try await client.callback(of: task) { $0.state == "delivered" }
            }
        }
    }

    @Test func redirectsAreNotFollowed() async throws {
        let moved: @Sendable (Int, HookReceiver.Received) async -> Response = { _, received in
            guard received.path == "/hook" else { return Response(status: .ok) }
            return Response(status: .temporaryRedirect, headers: [.location: "/elsewhere"])
        }
        try await HookReceiver.run(answer: moved) { receiver in
            let fixture = try await MarketplaceFixture(callbackURL: "http://127.0.0.1:\(receiver.port)/hook")
            try await fixture.serve(withServices: true) { client in
                let task = try await client.ended()
                let callback = try await client.callback(of: task) { $0.attempts.count == 1 }
                #expect(callback.state == "pending" && callback.statuses == [307] && receiver.count == 1)
                #expect(callback.attempts.first?["error"]?.string?.contains("redirect") == true)
            }
        }
    }

    @Test func aLongWindedAnswerIsADelivery() async throws {
        let wordy: @Sendable (Int, HookReceiver.Received) async -> Response = { _, _ in
            Response(status: .ok, body: .init(byteBuffer: ByteBuffer(repeating: 0x20, count: 1 << 20)))
        }
        try await HookReceiver.run(answer: wordy) { receiver in
            let fixture = try await MarketplaceFixture(callbackURL: "http://127.0.0.1:\(receiver.port)/")
            try await fixture.serve(withServices: true) { client in
                let callback = try await client.callback(of: try await client.ended()) { $0.attempts.count == 1 }
                #expect(callback.state == "delivered" && callback.statuses == [200])
            }
        }
    }

    @Test func everySecretSignsAndOnlyTrustedOriginsGetTheToken() async throws {
        let secrets = [Self.secret, "whsec_" + Data((0..<32).map { UInt8($0) }).base64EncodedString()]
        // The server listens on all of loopback's addresses: to the rules each is an origin of its own.
        try await HookReceiver.run(host: "0.0.0.0") { receiver in
            let origins: [String] = (1...3).map { "http://127.0.0.\($0):\(receiver.port)" }
            let fixture = try await MarketplaceFixture(
                callbackURL: "\(origins[0])/own",
                allowing: [try #require(CIDR(parsing: "127.0.0.0/8"))]
            ) {
                $0.callbackSecrets = secrets.compactMap { WebhookSecret($0) }
                $0.tokens = ["token", "old"]
                $0.callbackTokenOrigins = [origins[2]]
            }
            try await fixture.serve(withServices: true) { client in
                let expected: [(url: String?, token: String?)] = [
                    (nil, "token"), ("\(origins[0])/client", "token"), ("\(origins[1])/client", nil),
                    ("\(origins[2])/client", "token"),
                ]
                for (url, token) in expected {
                    _ = try await client.ended(callbackURL: url)
                    let received = try await receiver.next()
                    #expect(received.path == (url == nil ? "/own" : "/client"))
                    #expect(received.header("x-marketplace-token") == token, "\(url ?? "own")")
                    for secret in secrets { #expect(received.isSigned(with: secret)) }
                    #expect(received.header("webhook-signature")?.split(separator: " ").count == 2)
                }
            }
        }
    }

    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
}
