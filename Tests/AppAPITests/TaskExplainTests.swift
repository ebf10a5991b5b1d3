// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// `GET /tasks/{task}/explain`: a client learns where its task stands, an admin why, and nobody of others' tasks.
@Suite(.timeLimit(.minutes(1))) struct TaskExplainTests {
    @Test func aClientLearnsWhereAndAnAdminWhy() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let task = try await client.call().task
            let own = try await client.send(.get, "/tasks/\(task)/explain")
            #expect(own.status == 200)
            let shown = try #require(own.json["response"])
            #expect(shown["cause"]?.string == "no_worker_ever")
            #expect(shown["stages"]?.array?.isEmpty == false)
            #expect(shown["explanation"] == nil && shown["jobs"] == nil)

            let admin = try await client.send(.get, "/tasks/\(task)/explain", user: "root", role: "admin")
            #expect(admin.json["response"]?["explanation"]?.string?.contains("No worker has ever taken") == true)
            #expect(admin.json["response"]?["jobs"]?.array?.count == 1)

            #expect(try await client.send(.get, "/tasks/\(task)/explain", user: "eve").status == 404)
            #expect(try await client.send(.get, "/tasks/\(MeshID())/explain").status == 404)
        }
    }
}
