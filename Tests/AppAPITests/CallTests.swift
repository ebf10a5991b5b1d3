// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import LedgerSQLite
import Plumbing
import Testing
import Workflow

@testable import AppAPI

@Suite struct CallTests {
    @Test func answersWithThePendingEnvelopeAndHandsTheFirstJobOver() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let answer = try await client.call(request: "r-1")
            #expect(answer.status == 200 && answer.code == "CO_001" && answer.reason == "pending")
            #expect(answer.json["requestId"]?.string == "r-1" && answer.json["service"]?.string == "Contract")
            #expect(answer.json["processDuration"] == -1 && answer.json["isResponseImmediate"] == false)
            #expect(answer.json["extraType"]?.string == "others" && answer.json["traceId"]?.string?.count == 32)
            #expect(!answer.task.isEmpty)
            let job = await fixture.handedOver.jobs.first { _ in true }
            #expect(job?.service == "alpha")
        }
    }

    @Test func servesTheAppsOwnPathToo() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let body: JSON = ["method": "chain", "payload": ["n": 1]]
            let known = try await client.send(.post, "/contract/call", body)
            let unknown = try await client.send(.post, "/nobody/call", body)
            #expect(known.code == "CO_001")
            #expect(unknown.status == 404)
        }
    }

    @Test func theSameRequestIsTheSameTaskAndAnotherBodyClashes() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let first = try await client.call(request: "r-1")
            #expect(try await client.call(request: "r-1").task == first.task)
            let clash = try await client.call(["n": 2], request: "r-1")
            #expect(clash.status == 409 && clash.code == "CO_400")
            #expect(try await client.call(["n": 2], user: "bob", request: "r-1").status == 200)
        }
    }

    @Test func refusesWrongHeaders() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let body: JSON = ["method": "chain", "payload": ["n": 1]]
            for token in [nil, "", "wrong"] as [String?] {
                let answer = try await client.send(.post, "/call", body, token: token)
                #expect(answer.status == 401 && answer.code == "CO_401")
                #expect(answer.json["isResponseImmediate"] == true && answer.json["response"] == [:])
            }
            #expect(try await client.send(.post, "/call", body, user: nil).reason.contains("x-user-id"))
            #expect(try await client.send(.post, "/call", body, role: "king").reason.contains("x-user-role"))
        }
    }

    @Test(arguments: [
        ("{", "body"), ("", "body"), ("[]", "body"), (#"{"payload":{}}"#, "method"), (#"{"method":7}"#, "method"),
        (#"{"method":"chain"}"#, "payload"), (#"{"method":"chain","payload":{"n":-1}}"#, "payload/n"),
        (#"{"method":"chain","payload":{"n":"x"}}"#, "payload/n"),
        (#"{"method":"chain","payload":{"n":1},"callbackUrl":7}"#, "callbackUrl"),
        (#"{"method":"chain","payload":{"n":1},"callbackURL":"https://example.com/"}"#, "callbackURL"),
        (#"{"method":"chain","payload":{"n":1},"callback_url":"https://example.com/"}"#, "callback_url"),
        (#"{"method":"chain","payload":{"n":1},"callbackUrl":"ftp://example.com"}"#, "callbackUrl"),
        (#"{"method":"chain","payload":{"n":1},"callbackUrl":"http://127.0.0.1/x"}"#, "callbackUrl"),
        (#"{"method":"chain","payload":{"n":1},"callbackUrl":"http://169.254.169.254/"}"#, "callbackUrl"),
    ])
    func namesTheWrongField(_ raw: String, _ field: String) async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let answer = try await client.send(.post, "/call", raw: raw)
            #expect(answer.status == 400 && answer.code == "CO_400")
            #expect(answer.reason.hasPrefix(field), "\(answer.reason)")
        }
    }

    @Test func refusesUnknownMethodsAndRoutes() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let unknown = try await client.send(.post, "/call", ["method": "nope"])
            #expect(unknown.status == 400 && unknown.code == "CO_403" && unknown.reason.contains("chain"))
            #expect(try await client.send(.get, "/call").status == 405)
            let nowhere = try await client.send(.get, "/nowhere")
            #expect(nowhere.status == 404 && nowhere.code == "CO_402")
        }
    }

    @Test func refusesHugeAndDeepBodies() async throws {
        let fixture = try await MarketplaceFixture { $0.maxBody = 4096 }
        try await fixture.serve { client in
            let huge = try await client.call(["n": 1, "note": .string(String(repeating: "x", count: 5000))])
            #expect(huge.status == 413 && huge.code == "CO_400")
            let deep = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
            #expect(try await client.send(.post, "/call", raw: deep).status == 400)
        }
    }

    @Test func aFullBacklogIsRefusedWithRetryAfter() async throws {
        let fixture = try await MarketplaceFixture(backlog: 1)
        try await fixture.serve { client in
            let first = try await client.call(request: "once")
            #expect(first.status == 200)
            let refused = try await client.call()
            #expect(refused.status == 429 && refused.code == "CO_401" && refused.headers[.retryAfter] != nil)
            // What was accepted before is not new work.
            let again = try await client.call(request: "once")
            #expect(again.status == 200 && again.task == first.task)
            #expect(try await client.call(["n": 2], request: "once").status == 409)
        }
    }

    @Test func dataURLsBecomeOriginals() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let answer = try await client.call(["n": 1, "note": "data:text/plain;base64,aGVsbG8="])
            let id = try #require(MeshID(answer.task))
            let task = try #require(try await fixture.ledger.task(id)).task
            let payload = try JSON(parsing: task.payload)
            #expect(payload["note"]?.string?.hasPrefix("s3://media/originals/2cf24dba") == true)
        }
    }
}
