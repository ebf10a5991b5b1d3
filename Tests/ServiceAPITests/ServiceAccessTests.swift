// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Foundation
import HTTPTypes
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// Every call of the Service API, and which tokens open it.
@Suite(.timeLimit(.minutes(1))) struct ServiceAccessTests {
    static let open: Set = ["GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json"]
    static let mesh: Set = ["POST /mesh/v1/jobs"]
    static let jobs: Set = [
        "GET /jobs", "POST /jobs", "POST /jobs/batch", "POST /jobs/cancel", "POST /jobs/retry", "POST /jobs/claim",
        "GET /jobs/{id}", "POST /jobs/{id}/heartbeat", "POST /jobs/{id}/complete", "POST /jobs/{id}/fail",
        "POST /jobs/{id}/cancel", "POST /jobs/{id}/retry", "GET /jobs/{id}/explain", "GET /jobs/{id}/events",
        "GET /stats", "GET /queues", "GET /workers", "GET /providers/status",
        "GET /infra/status",
    ]
    static let runPod: Set = [
        "POST run", "POST runsync", "GET status/{id}", "GET status-sync/{id}", "GET stream/{id}", "GET health",
        "POST cancel/{id}", "POST retry/{id}", "POST purge-queue", "POST openai/v1/chat/completions",
        "POST openai/v1/completions", "POST openai/v1/embeddings", "GET openai/v1/models",
    ]
    static let workers: Set = [
        "GET job-take/{worker}", "GET job-take-batch/{worker}", "GET job-stop/{worker}", "GET ping/{worker}",
        "POST drain/{worker}", "POST job-done/{worker}/{job}", "POST job-stream/{worker}/{job}",
    ]

    /// What each call needs, by its name; a call that stands in none of the lists fails the test.
    static var table: [String: APIRoute.Access] {
        var table: [String: APIRoute.Access] = [:]
        for call in open { table[call] = .open }
        for call in mesh { table[call] = .mesh }
        for call in jobs { table[call.replacing(" ", with: " /api/v1")] = .service }
        for call in runPod.union(workers) { table[call.replacing(" ", with: " /v2/{endpoint}/")] = .service }
        return table
    }

    private static func name(_ route: APIRoute) -> String { "\(route.method.rawValue) \(route.path)" }

    @Test func everyCallAnswersEveryTokenAsTheTableSays() async throws {
        let tokens = ["a:one", "b:two", "s@alpha:x"]
        let fixture = try await ServiceFixture(meshTokens: ["app-1:mesh"], serviceTokens: tokens)
        let routes = fixture.api.routes
        let table = Self.table
        let names = Set(routes.map(Self.name))
        #expect(names == Set(table.keys), "each call has its place in the table, and each place its call")
        try await fixture.serve { client in
            // At once: a wrong token of a worker is answered slowly.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for route in routes {
                    let access = try #require(table[Self.name(route)])
                    #expect(route.access == access, "\(Self.name(route))")
                    group.addTask { try await Self.ask(client, route, access) }
                }
                try await group.waitForAll()
            }
        }
    }

    private static func ask(_ client: ServiceClient, _ route: APIRoute, _ access: APIRoute.Access) async throws {
        // Names that nothing has: what comes after the token is a refusal as well, so nothing waits and nothing changes.
        let path = route.path.replacing("{", with: "x").replacing("}", with: "x")
        let good = access == .mesh ? ["mesh"] : ["one", "two"]
        let bad = [
            nil, "", "Bearer", "Bearer ", "Bearer on", "Bearer onee", "Bearer One", "Bearer a:one", "Bearer one,two",
            "Bearer default", "Basic b25l", "Bearer x", access == .mesh ? "Bearer one" : "Bearer mesh",
        ]
        guard access != .open else {
            let answer = try await client.send(route.method.rawValue, path)
            #expect(answer.status == 200, "\(path)")
            return
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for header in bad {
                group.addTask {
                    let answer = try await client.send(route.method.rawValue, path, authorization: header)
                    #expect(answer.status == 401, "\(name(route)) with \(header ?? "nothing"): \(answer.status)")
                }
            }
            for token in good {
                group.addTask {
                    let header = "Bearer \(token)"
                    let answer = try await client.send(route.method.rawValue, path, authorization: header)
                    #expect(answer.status != 401 && answer.status != 403, "\(name(route)): \(answer.status)")
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func withoutAMeshTokenNothingIsHandedOver() async throws {
        let fixture = try await ServiceFixture(meshTokens: [], serviceTokens: [])
        try await fixture.serve { client in
            for header in [nil, "Bearer ", "Bearer mesh"] {
                let answer = try await client.send("POST", "/mesh/v1/jobs", authorization: header)
                #expect(answer.status == 403)
            }
        }
    }

    @Test func tokensAreReplacedAndRevokedWhileItRuns() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("malla-\(MeshID()).env").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        @Sendable func write(_ text: String) throws { try text.write(toFile: path, atomically: true, encoding: .utf8) }
        try write("AI_SERVICE_TOKEN=a:old\n")
        let file = try TokensFile(path: path)
        let fixture = try await ServiceFixture(serviceTokens: ["environment"]) { $0.tokensFile = file }
        try await fixture.serve { client in
            func statuses() async throws -> [Int] {
                var found: [Int] = []
                for token in ["environment", "old", "new"] {
                    found.append(try await client.send("GET", "/api/v1/stats", authorization: "Bearer \(token)").status)
                }
                return found
            }
            #expect(try await statuses() == [401, 200, 401])
            try write("AI_SERVICE_TOKEN=a:new,a:old\n")
            await file.refresh()
            #expect(try await statuses() == [401, 200, 200])
            try write("AI_SERVICE_TOKEN=a:new\n")
            await file.refresh()
            #expect(try await statuses() == [401, 401, 200])
            // A file that lost its list must not open the API to everybody.
            for mistake in ["", "AI_SERVICE_TOKEN=\n", "MESH_TOKEN=x\n", "AI_SERVICE_TOKEN\n"] {
                try write(mistake)
                await file.refresh()
                #expect(try await statuses() == [401, 401, 200], "\(mistake)")
            }
            // A list that the file does not name stays the environment's.
            let handOver = try await client.send("POST", "/mesh/v1/jobs", authorization: "Bearer mesh")
            #expect(handOver.status != 401 && handOver.status != 403)
        }
    }
}
