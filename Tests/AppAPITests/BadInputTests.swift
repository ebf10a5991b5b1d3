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

/// Wrong requests: each is told what is wrong in the envelope, and none becomes a task.
@Suite struct BadInputTests {
    private static let callback = #"{"method":"chain","payload":{"n":1},"callbackUrl":"#

    @Test(arguments: [
        ("null", "body"), (#""text""#, "body"), ("7", "body"), ("\u{FEFF}{}", "body"), ("{} {}", "body"),
        (#"{"method":"chain","payload":{"n":01}}"#, "body"), (#"{"method":"chain",}"#, "body"),
        (#"{"method":null}"#, "method"), (#"{"method":["chain"]}"#, "method"),
        (#"{"method":"chain","payload":null}"#, "payload"), (#"{"method":"chain","payload":"n"}"#, "payload"),
        (#"{"method":"chain","payload":[]}"#, "payload"), (#"{"method":"chain","payload":{"n":1.5}}"#, "payload/n"),
        (#"{"method":"chain","payload":{"n":1,"note":false}}"#, "payload/note"),
        (#"{"method":"look","payload":{"image":7}}"#, "payload/image"),
        (#"{"method":"look","payload":{"image":"picture.jpg"}}"#, "payload/image"),
        (callback + #""example.com/hook"}"#, "callbackUrl"), (callback + #""http://"}"#, "callbackUrl"),
        (callback + #""https://user:secret@example.com/"}"#, "callbackUrl"),
        (callback + #""https://example.com/\u0000"}"#, "callbackUrl"),
        (callback + #""http://10.0.0.1/"}"#, "callbackUrl"), (callback + #""http://[::1]/"}"#, "callbackUrl"),
        (callback + #""http://[::ffff:127.0.0.1]/"}"#, "callbackUrl"),
        (callback + #""http://localhost:8080/"}"#, "callbackUrl"), (callback + #"{"url":"x"}}"#, "callbackUrl"),
    ])
    func isToldTheField(_ raw: String, _ field: String) async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let answer = try await client.send(.post, "/call", raw: raw)
            #expect(answer.status == 400 && answer.code == "CO_400" && answer.isRefusal)
            #expect(answer.reason.hasPrefix(field) && answer.reason.count > field.count + 10, "\(answer.reason)")
            #expect(try await fixture.ledger.numbers(NumbersQuery(app: "contract", user: nil)).isEmpty)
        }
    }

    @Test func bytesThatAreNotUTF8AreRefused() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let bytes =
                Array(#"{"method":"chain","payload":{"n":1,"note":""#.utf8) + [0xFF, 0xFE] + Array(#""}}"#.utf8)
            let answer = try await client.send(.post, "/call", bytes: bytes)
            #expect(answer.status == 400 && answer.isRefusal && answer.reason.contains("UTF-8"))
        }
    }

    @Test func aPayloadNestsToTheLimitAndNoDeeper() async throws {
        let fixture = try await MarketplaceFixture { $0.maxDepth = 20 }
        try await fixture.serve { client in
            func nested(_ depth: Int) -> String {
                let lists = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
                return #"{"method":"chain","payload":{"n":1,"deep":\#(lists)}}"#
            }
            #expect(try await client.send(.post, "/call", raw: nested(18)).status == 200)
            let deep = try await client.send(.post, "/call", raw: nested(19))
            #expect(deep.status == 400 && deep.isRefusal && deep.reason.contains("20"))
            #expect(try await client.send(.post, "/call", raw: nested(100_000)).status == 400)
        }
    }

    @Test func wrongIdsOfUsersAndRequestsAreRefused() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let body: JSON = ["method": "chain", "payload": ["n": 1]]
            for user in ["", "   ", String(repeating: "u", count: 201), String(repeating: "u", count: 4096)] {
                let answer = try await client.send(.post, "/call", body, user: user)
                #expect(answer.status == 400 && answer.code == "CO_400" && answer.isRefusal)
                #expect(answer.reason.hasPrefix("x-user-id"), "\(answer.reason)")
            }
            for request in [String(repeating: "r", count: 201), String(repeating: "é", count: 512)] {
                let answer = try await client.send(.post, "/call", body, request: request)
                #expect(answer.status == 400 && answer.code == "CO_400" && answer.isRefusal)
                #expect(
                    answer.reason.hasPrefix("x-request-id") && MeshID(answer.json["requestId"]?.string ?? "") != nil
                )
            }
            let longest = String(repeating: "ü", count: 100)
            let taken = try await client.send(.post, "/call", body, user: longest, request: longest)
            #expect(taken.status == 200 && taken.json["requestId"]?.string == longest)
            // Without an id one is made, and two such requests are two.
            let first = try await client.send(.post, "/call", body, request: "")
            #expect(MeshID(first.json["requestId"]?.string ?? "") != nil)
            #expect(try await client.send(.post, "/call", body).task != first.task)
        }
    }

    /// A header can't carry it, but a query and a JSON string can: PostgreSQL would not store or compare it.
    @Test func controlCharactersAreRefusedWhereTheyWouldReachTheLedger() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            for (path, raw) in [
                ("/stats?userId=a%00b", nil), ("/stats", #"{"userId":"a\u0000b"}"#), ("/stats", #"{"userId":"a\nb"}"#),
            ] {
                let answer = try await client.send(raw == nil ? .get : .post, path, raw: raw, role: "admin")
                #expect(answer.status == 400 && answer.isRefusal && answer.reason.hasPrefix("userId"))
            }
            #expect(try await client.send(.post, "/result", ["taskId": "\0"]).status == 404)
            #expect(try await client.send(.post, "/upload?s3_key=a%00b").status == 400)
            #expect(try await client.send(.post, "/call", ["method": "cha\0in"]).code == "CO_403")
            // What a client sends in its payload is its own affair.
            let note: JSON = "before\0after\u{1}"
            let task = try await client.call(["n": 1, "note": note]).task
            try await fixture.work("alpha", returning: ["n": 2, "note": note])
            try await fixture.work("beta", returning: ["note": note])
            let result = try await client.send(.get, "/result/\(task)")
            #expect(result.code == "CO_000" && result.json["response"]?["data"]?["note"] == note)
        }
    }

    @Test func tasksAreNamedByTheirIdAsAString() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            for raw in [#"{"taskId":7}"#, #"{"taskId":["x"]}"#, "{}", "[]", #"{"taskId":null}"#, #"{"taskId":""}"#] {
                let answer = try await client.send(.post, "/result", raw: raw)
                #expect(answer.status == 400 && answer.isRefusal && answer.reason.hasPrefix("taskId"), "\(raw)")
            }
            let unknown = try await client.send(.post, "/result", ["taskId": .string("\(MeshID())")])
            #expect(unknown.status == 404 && unknown.code == "CO_402" && unknown.isRefusal)
        }
    }

    @Test func refusalsCarryThePrefixOfTheAppInThePath() async throws {
        let fixture = try await MarketplaceFixture(withSecondApp: true)
        try await fixture.serve { client in
            let body: JSON = ["method": "chain", "payload": ["n": 1]]
            #expect(try await client.send(.post, "/second/call", body, token: "wrong").code == "SE_401")
            #expect(try await client.send(.post, "/contract/stats", user: nil).code == "CO_400")
            #expect(try await client.send(.post, "/second/upload").code == "SE_400")
            #expect(try await client.send(.get, "/second/tasks/\(MeshID())/callbacks").code == "SE_402")
            #expect(try await client.send(.delete, "/second/call").code == "SE_403")
            #expect(try await client.send(.post, "/call", body, token: "wrong").code == "MA_401")
            // At the bare path a method that one app has is that app's; one of several must say which.
            #expect(try await client.send(.post, "/call", ["method": "own"]).code == "SE_001")
            let both = try await client.send(.post, "/call", body)
            #expect(both.status == 400 && both.code == "MA_403" && both.isRefusal)
            #expect(both.reason.contains("/contract/call") && both.reason.contains("/second/call"))
            // A task of one app is none of the other's.
            let task = try await client.send(.post, "/second/call", ["method": "own"]).task
            #expect(try await client.send(.get, "/contract/result/\(task)").status == 404)
            #expect(try await client.send(.get, "/result/\(task)").code == "SE_001")
        }
    }

    @Test func everyTokenOfARotationIsTaken() async throws {
        let fixture = try await MarketplaceFixture { $0.tokens = ["new", "old"] }
        try await fixture.serve { client in
            for (token, status) in [("new", 200), ("old", 200), ("token", 401), ("new,old", 401)] {
                let answer = try await client.send(.post, "/stats", token: token)
                #expect(answer.status == status)
            }
        }
    }
}
