// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Ledger
import Testing
import Workflow

@testable import ServiceAPI

/// `GET /openapi.json`: what it says is what there is.
@Suite(.timeLimit(.minutes(1))) struct OpenAPITests {
    @Test func itListsExactlyTheCalls() async throws {
        let fixture = try await ServiceFixture.jobs(serviceTokens: ["secret"])
        try await fixture.serve { client in
            let answer = try await client.send("GET", "/openapi.json")
            #expect(answer.status == 200 && answer.json["openapi"] == "3.1.0")
            var told: Set<String> = []
            for (path, item) in try #require(answer.json["paths"]?.object).members {
                for name in item.object?.names ?? [] { told.insert("\(name.uppercased()) \(path)") }
            }
            #expect(told == Set(fixture.api.routes.map { "\($0.method.rawValue) \($0.path)" }))
            #expect(fixture.api.routes.count == told.count, "no call stands there twice")
            // The calls of the job contract, by name: the document can't lose one with its route.
            let contract = [
                "POST /jobs", "GET /jobs", "POST /jobs/batch", "POST /jobs/retry", "POST /jobs/cancel",
                "POST /jobs/claim", "GET /jobs/{id}", "POST /jobs/{id}/heartbeat", "POST /jobs/{id}/complete",
                "POST /jobs/{id}/fail", "POST /jobs/{id}/retry", "POST /jobs/{id}/cancel", "GET /jobs/{id}/explain",
                "GET /jobs/{id}/events", "GET /stats", "GET /providers/status", "GET /infra/status",
            ]
            for call in contract {
                #expect(told.contains(call.replacing(" ", with: " /api/v1")), "\(call)")
            }
            for path in ["GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json"] {
                #expect(told.contains(path))
            }
        }
    }

    @Test func everyCallIsReachableAndEveryReferenceThere() async throws {
        let fixture = try await ServiceFixture.jobs(serviceTokens: ["secret"])
        try await fixture.serve { client in
            let document = try await client.send("GET", "/openapi.json")
            let schemas = document.json["components"]?["schemas"]?.object?.names ?? []
            for reference in Self.references(in: document.json) {
                let name = reference.split(separator: "/").last.map { String($0) } ?? ""
                #expect(reference == "#/components/schemas/\(name)" && schemas.contains(name), "\(reference)")
            }
            var operations: Set<String> = []
            for (path, item) in document.json["paths"]?.object?.members ?? [] {
                for (method, operation) in item.object?.members ?? [] {
                    let name = try #require(operation["operationId"]?.string)
                    #expect(operations.insert(name).inserted, "\(name)")
                    let holes = path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
                        String($0.dropFirst().dropLast())
                    }
                    let told = (operation["parameters"]?.array ?? []).filter { $0["in"] == "path" }
                    let names = Set(told.compactMap { $0["name"]?.string })
                    #expect(names == Set(holes), "\(method) \(path)")
                    // Reached without a token: refused, not unknown.
                    guard operation["security"] != [] else { continue }
                    let filled = path.replacing("{", with: "x").replacing("}", with: "x")
                    let answer = try await client.send(method.uppercased(), filled)
                    #expect(answer.status == 401, "\(method) \(path): \(answer.status)")
                }
            }
        }
    }

    private static func references(in json: JSON) -> [String] {
        switch json {
        case .object(let object):
            object.members.flatMap { name, value in
                name == "$ref" ? [value.string ?? "?"] : references(in: value)
            }
        case .array(let list): list.flatMap { references(in: $0) }
        default: []
        }
    }
}
