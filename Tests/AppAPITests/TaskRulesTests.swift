// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerInProcess
import Hummingbird
import Ledger
import LedgerSQLite
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// Idempotency, cancelling, numbers, and servers that are away.
@Suite(.timeLimit(.minutes(1))) struct TaskRulesTests {
    @Test func theSameRequestAtTheSameTimeIsOneTask() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let answers = try await withThrowingTaskGroup(of: MarketplaceClient.Answer.self) { group in
                for _ in 0..<40 { group.addTask { try await client.call(request: "r-1") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.status == 200 && $0.code == "CO_001" })
            #expect(Set(answers.map(\.task)).count == 1)
            let numbers = try await fixture.ledger.numbers(NumbersQuery(app: "contract", user: "ann"))
            #expect(numbers.map(\.pending) == [1])
        }
    }

    @Test func ofDifferentBodiesAtTheSameTimeOneWins() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let answers = try await withThrowingTaskGroup(of: MarketplaceClient.Answer.self) { group in
                for n in 0..<20 { group.addTask { try await client.call(["n": .number(.init(n))], request: "r-1") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.filter { $0.status == 200 }.count == 1)
            let clashes = answers.filter { $0.status == 409 }
            #expect(clashes.count == 19 && clashes.allSatisfy { $0.code == "CO_400" && $0.isRefusal })
            #expect(clashes.allSatisfy { $0.reason.hasPrefix("x-request-id") })
        }
    }

    @Test func anotherMethodOrReceiverIsAnotherBody() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let body: JSON = ["method": "chain", "payload": ["n": 1]]
            let first = try await client.send(.post, "/call", body, request: "r-1")
            let spaced = #"{ "payload": {"n": 1}, "method": "chain", "callbackUrl": null }"#
            #expect(try await client.send(.post, "/call", raw: spaced, request: "r-1").task == first.task)
            let called = body.adding("callbackUrl", "https://example.com/")
            #expect(try await client.send(.post, "/call", called, request: "r-1").status == 409)
            // The end of a task does not end its id.
            _ = try await client.ended(first.task)
            #expect(try await client.send(.post, "/call", body, request: "r-1").task == first.task)
        }
    }

    @Test func cancellingKnowsRunningEndedAndForeignTasks() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let ended = try await client.call(user: "ann").task
            try await fixture.work("alpha", returning: ["n": 2])
            try await fixture.work("beta", returning: ["n": 3])
            let kept = try await client.send(.post, "/tasks/\(ended)/cancel")
            #expect(kept.status == 200 && kept.code == "CO_000" && kept.json["response"]?["data"] == ["n": 3])

            let running = try await client.call(user: "ann").task
            try await fixture.work("alpha", returning: ["n": 2])
            for user in ["bob", "ann2"] {
                let foreign = try await client.send(.post, "/tasks/\(running)/cancel", user: user, role: "publisher")
                #expect(foreign.status == 404 && foreign.code == "CO_402" && foreign.isRefusal)
            }
            #expect(try await client.send(.get, "/result/\(running)").code == "CO_002")
            let lease = MeshID()
            let claimed = try await fixture.ledger.claim(service: "beta", worker: "w-1", leases: [lease])
            let job = try #require(claimed.first?.job.id)
            let cancelled = try await client.send(.post, "/tasks/\(running)/cancel", user: "root", role: "admin")
            #expect(cancelled.status == 200 && cancelled.code == "CO_499" && cancelled.task == running)
            // A result that comes too late changes nothing.
            let late = Settlement(job: job, event: .completed(lease: lease), result: Array("{}".utf8))
            _ = try await fixture.ledger.settle([late], tasks: [], finishing: fixture.finishing)
            #expect(try await client.send(.get, "/result/\(running)").code == "CO_499")

            for path in ["/tasks/\(MeshID())/cancel", "/tasks/nonsense/cancel"] {
                #expect(try await client.send(.post, path).status == 404)
            }
            #expect(try await client.send(.get, "/tasks/\(running)/cancel").status == 405)
            #expect(try await client.send(.post, "/tasks/\(running)/cancel", token: nil).status == 401)
        }
    }

    @Test func aTaskWithoutAReceiverHasNoCallback() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let running = try await client.call(callbackURL: "https://example.com/hook").task
            let early = try await client.send(.post, "/tasks/\(running)/callbacks/replay")
            #expect(early.status == 404 && early.isRefusal && early.reason.contains("not ended"))
            let ended = try await client.ended()
            let none = try await client.send(.post, "/tasks/\(ended)/callbacks/replay")
            #expect(none.status == 404 && none.isRefusal && none.reason.contains("no receiver"))
            #expect(try await client.send(.post, "/tasks/\(running)/callbacks/replay", user: "bob").status == 404)
            let list = try await client.send(.get, "/tasks/\(ended)/callbacks")
            #expect(list.status == 200 && list.json["response"]?["callbacks"] == [])
        }
    }

    @Test func numbersFollowTheTimeAndTheRole() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            for user in ["ann", "ann", "bob"] { _ = try await client.call(user: user) }
            _ = try await client.ended(try await client.call(user: "ann").task)
            func pending(_ body: JSON, role: String = "user") async throws -> Int? {
                let answer = try await client.send(.post, "/stats", body, role: role)
                return answer.json["response"]?["numRequestPending"]?.int
            }
            let soon = (Timestamp.now + .seconds(60)).rfc3339
            let before = (Timestamp.now - .seconds(60)).rfc3339
            #expect(try await pending([:]) == 2)
            #expect(try await pending(["from": .string(before), "to": .string(soon)]) == 2)
            #expect(try await pending(["from": .string(soon)]) == 0)
            #expect(try await pending(["to": .string(before)]) == 0)
            #expect(try await pending(["userId": "ann"]) == 2)
            #expect(try await pending(["userId": "bob"], role: "admin") == 1)
            #expect(try await pending([:], role: "admin") == 3)
            let own = try await client.send(.get, "/contract/stats")
            #expect(own.json["response"]?["numRequestCancelled"] == 1 && own.json["response"]?["userId"] == "ann")
            #expect(own.json["response"]?["methods"]?["chain"]?["numRequestPending"] == 2)
            for role in ["user", "publisher"] {
                let foreign = try await client.send(.post, "/stats", ["userId": "bob"], role: role)
                #expect(foreign.status == 403 && foreign.code == "CO_403" && foreign.isRefusal)
            }
            for (body, field) in [
                (["from": "yesterday"], "from"), (["to": 7], "to"),
                (["from": .string(soon), "to": .string(soon)], "from"),
                (["userId": 7], "userId"), ([1], "body"),
            ] as [(JSON, String)] {
                let wrong = try await client.send(.post, "/stats", body)
                #expect(wrong.status == 400 && wrong.isRefusal && wrong.reason.hasPrefix(field), "\(wrong.reason)")
            }
        }
    }

    @Test func dearNumbersServeForAWhile() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let keeping = NumbersDesk(ledger: fixture.ledger, dear: .zero, factor: 1_000_000)
            let fresh = NumbersDesk(ledger: fixture.ledger)
            let query = NumbersQuery(app: "contract", user: "ann")
            _ = try await client.call(user: "ann")
            #expect(try await keeping.numbers(query).map(\.pending) == [1])
            #expect(try await fresh.numbers(query).map(\.pending) == [1])
            _ = try await client.call(user: "ann")
            #expect(try await keeping.numbers(query).map(\.pending) == [1])
            #expect(try await fresh.numbers(query).map(\.pending) == [2])
            #expect(try await keeping.numbers(NumbersQuery(app: "contract", user: nil)).map(\.pending) == [2, 2])
            await fixture.ledger.close()
            await #expect(throws: LedgerError.self) { try await fresh.numbers(query) }
        }
    }

    @Test func withoutTheLedgerEveryRouteSaysSo() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let task = try await client.call().task
            await fixture.ledger.close()
            let body: JSON = ["method": "chain", "payload": ["n": 1]]
            for (method, path) in [
                (.post, "/call"), (.get, "/result/\(task)"), (.get, "/stats"), (.post, "/tasks/\(task)/cancel"),
                (.get, "/tasks/\(task)/callbacks"), (.post, "/tasks/\(task)/callbacks/replay"),
            ] as [(HTTPRequest.Method, String)] {
                let answer = try await client.send(method, path, path == "/call" ? body : nil)
                #expect(answer.status == 503 && answer.code == "CO_501" && answer.isRefusal, "\(path)")
                #expect(answer.headers[.retryAfter] != nil && answer.reason.contains("ledger"))
            }
            // What is wrong is told all the same.
            #expect(try await client.send(.post, "/call", ["method": "nope"]).status == 400)
            #expect(try await client.send(.get, "/healthz", token: nil).status == 200)
        }
    }

    @Test func withoutTheBrokerCallsAreTakenUntilTheBacklogIsFull() async throws {
        let fixture = try await MarketplaceFixture(backlog: 2)
        try await fixture.serve { client in
            await fixture.broker.close()
            for _ in 0..<2 { #expect(try await client.call().status == 200) }
            let refused = try await client.call()
            #expect(refused.status == 503 && refused.code == "CO_502" && refused.isRefusal)
            #expect(refused.headers[.retryAfter] != nil && refused.reason.contains("alpha"))
            let ready = try await client.send(.get, "/readyz", token: nil)
            #expect(ready.status == 200 && ready.json["status"] == "degraded")
        }
    }
}
