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

@Suite struct ResultTests {
    @Test func tellsPendingRunningAndDoneInAllForms() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let task = try await client.call().task
            #expect(try await client.send(.post, "/result", ["taskId": .string(task)]).code == "CO_001")
            try await fixture.work("alpha", returning: ["n": 2])
            let running = try await client.send(.get, "/result/\(task)")
            #expect(running.code == "CO_002" && running.task == task)
            let stages = try #require(running.json["response"]?["progress"]?["stages"]?.array)
            #expect(stages.map { $0["name"]?.string } == ["first", "second"])
            #expect(stages.first?["done"] == 1)
            try await fixture.work("beta", returning: ["n": 3])
            for _ in 0..<2 {
                let done = try await client.send(.post, "/contract/result/\(task)")
                #expect(done.status == 200 && done.code == "CO_000" && done.reason == "success")
                #expect(done.json["response"]?["dataType"]?.string == "META_DATA")
                #expect(done.json["response"]?["data"] == ["n": 3])
                #expect((done.json["processDuration"]?.double ?? -1) >= 0)
                #expect(done.json["response"]?["progress"]?["stages"]?.array?.count == 2)
            }
        }
    }

    @Test func failuresCarryTheirCodeAndReason() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let task = try await client.call().task
            try await fixture.work("alpha", failing: JobError(.invalidInput, "not an image", field: "/image"))
            let answer = try await client.send(.get, "/result/\(task)")
            #expect(answer.status == 200 && answer.code == "CO_400")
            #expect(answer.reason.contains("first") && answer.reason.contains("not an image"))
        }
    }

    @Test func usersAreIsolatedAndAdminsAreNot() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let task = try await client.call(user: "ann").task
            for path in ["/result/\(task)", "/tasks/\(task)/callbacks"] {
                let foreign = try await client.send(.get, path, user: "bob")
                #expect(foreign.status == 404 && foreign.code == "CO_402")
                #expect(try await client.send(.get, path, user: "root", role: "admin").status == 200)
            }
            #expect(try await client.send(.post, "/tasks/\(task)/cancel", user: "bob").status == 404)
            #expect(try await client.send(.get, "/result/\(MeshID())").status == 404)
            #expect(try await client.send(.get, "/result/nonsense").status == 404)
            #expect(try await client.send(.post, "/result", [:]).status == 400)
        }
    }

    @Test func finalAnswersInTheStoreAreIsolatedToo() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let task = try await client.call(user: "ann").task
            try await fixture.work("alpha")
            try await fixture.work("beta")
            #expect(try await client.send(.get, "/result/\(task)", user: "ann").code == "CO_000")
            #expect(try await client.send(.get, "/result/\(task)", user: "bob").status == 404)
            // With the ledger gone a final answer is still known.
            await fixture.ledger.close()
            #expect(try await client.send(.get, "/result/\(task)", user: "ann").code == "CO_000")
            #expect(try await client.call().status == 503)
            #expect(try await client.send(.get, "/readyz").status == 503)
        }
    }

    @Test func cancellingEndsATaskOnce() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let task = try await client.call().task
            for _ in 0..<2 {
                let answer = try await client.send(.post, "/tasks/\(task)/cancel")
                #expect(answer.status == 200 && answer.code == "CO_499")
            }
            #expect(try await client.send(.get, "/result/\(task)").code == "CO_499")
            #expect(try await fixture.ledger.claim(service: "alpha", worker: "w", leases: [MeshID()]).isEmpty)
        }
    }

    @Test func statsAreTheUsersOwn() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            _ = try await client.call(user: "ann")
            try await fixture.work("alpha")
            try await fixture.work("beta")
            _ = try await client.call(user: "bob")
            let own = try await client.send(.post, "/stats", [:], user: "ann")
            #expect(own.json["response"]?["numRequestSuccess"] == 1 && own.json["response"]?["numRequestPending"] == 0)
            #expect(try await client.send(.get, "/stats?userId=bob", user: "ann").status == 403)
            let named = try await client.send(.get, "/stats?userId=bob", user: "root", role: "admin")
            #expect(named.json["response"]?["numRequestPending"] == 1)
            let all = try await client.send(.post, "/stats", user: "root", role: "admin")
            #expect(all.json["response"]?["users"]?.array?.count == 2)
            let chain = try #require(all.json["response"]?["methods"]?["chain"])
            #expect(chain["numRequestSuccess"] == 1 && chain["numRequestPending"] == 1)
            #expect(chain["durationMs"]?["p50"]?.double != nil && chain["durationMs"]?["p95"]?.double != nil)
            let range = "from=2999-01-01T00:00:00Z&to=2999-01-02T00:00:00Z"
            #expect(
                try await client.send(.get, "/stats?\(range)").json["response"]?["numRequestSuccess"] == 0
            )
            #expect(try await client.send(.get, "/stats?from=yesterday").status == 400)
            #expect(try await client.send(.get, "/stats?from=2030-01-02&to=2030-01-01").status == 400)
        }
    }

    @Test func mediaRoutesKeepUsersApart() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let upload = try await client.send(.post, "/upload?s3_key=face.jpg")
            #expect(upload.json["code"] == 0 && upload.json["data"]?["key"]?.string == "uploads/ann/face.jpg")
            #expect(upload.json["data"]?["presignedUrl"]?.string?.isEmpty == false)
            #expect(try await client.send(.post, "/upload?s3_key=..%2Fbob%2Fface.jpg").status == 400)
            #expect(try await client.send(.post, "/upload").status == 400)
            #expect(try await client.send(.get, "/download?s3_key=face.jpg").status == 404)
            #expect(try await client.send(.get, "/download?s3_key=uploads%2Fbob%2Fface.jpg").status == 404)
        }
    }

    @Test func healthNamesEveryServer() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            #expect(try await client.send(.get, "/healthz", token: nil).status == 200)
            let ready = try await client.send(.get, "/readyz", token: nil)
            #expect(
                ready.status == 200 && ready.json["servers"]?.object?.names == ["ledger", "broker", "results", "media"]
            )
        }
    }
}
