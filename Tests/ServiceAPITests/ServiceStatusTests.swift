// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Hummingbird
import HummingbirdTesting
import Ledger
import MallaTestKit
import NIOCore
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// `/stats`, `/providers/status` and `/infra/status`.
@Suite(.timeLimit(.minutes(1))) struct ServiceStatusTests {
    @Test func theNumbersAddUp() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let empty = try await client.get("/stats")
            #expect(empty.status == 200 && empty.json["total"] == 0 && empty.json["wait_ms"] == .null, "\(empty.text)")
            for _ in 0..<4 { _ = try await client.create() }
            _ = try await client.create("transcribe") { $0["owner_service"] = "other" }
            let jobs = try await client.claim {
                $0["limit"] = 3
                $0["task_types"] = ["llm_chat"]
            }.compactMap { $0["id"]?.string }
            let done: JSON = ["worker_id": "w-1", "result": 1, "usage": ["prompt_tokens": 5, "cost_usd": 0.25]]
            _ = try await client.post("/jobs/\(jobs[0])/complete", done)
            let failure: JSON = ["worker_id": "w-1", "category": "provider", "message": "x", "retry": false]
            _ = try await client.post("/jobs/\(jobs[1])/fail", failure)

            let stats = try await client.get("/stats?group_by=owner_service").json
            #expect(stats["total"] == 5)
            #expect(
                stats["states"] == ["pending": 2, "running": 1, "completed": 1, "failed": 1, "cancelled": 0]
            )
            #expect(stats["errors"] == ["provider": 1] && stats["cost_usd"]?.double == 0.25)
            #expect(stats["usage"]?["prompt_tokens"] == 5 && stats["run_ms"]?["p50"]?.double != nil)
            #expect(stats["throughput"]?["completed"] == 1 && stats["throughput"]?["per_minute"]?.double ?? 0 > 0)
            let types = stats["task_types"]?.array ?? []
            #expect(types.contains { $0["group"] == "llm_chat" })
            let groups = stats["groups"]?.array ?? []
            #expect(groups.compactMap { $0["group"]?.string } == ["other", "telephony"])
            #expect(groups.compactMap { $0["total"]?.int } == [1, 4])
            let later = (Timestamp.now + .seconds(3600)).rfc3339
            #expect(try await client.get("/stats?from=\(later)").json["total"] == 0)
        }
    }

    @Test(arguments: [
        ("from=x", "from"), ("to=2026", "to"), ("group_by=status", "group_by"), ("group_by=", "group_by"),
        ("by=service", "by"), ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
    ])
    func aWrongQueryOfTheNumbersIsNamed(_ query: String, _ field: String) async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let answer = try await client.get("/stats?\(query)")
            #expect(answer.isProblem(422) && answer.field == field, "\(answer.text)")
        }
    }

    @Test func providersAreShownWithoutTheirSecrets() async throws {
        try await Upstream.run { upstream in
            let providers = [
                Provider(name: "good", url: "\(upstream)/v1", key: "${KEY}", model: "small"),
                Provider(name: "locked", url: "\(upstream)/locked/v1/", key: "${KEY}"),
                Provider(name: "plain", url: "\(upstream)/asr"),
                Provider(name: "dead", url: "http://user:topsecret@127.0.0.1:1/v1", key: "topsecret"),
                Provider(name: "unset", url: "${NOWHERE}"),
            ]
            var services = try ServiceFixture.jobServices()
            for name in ["one", "two"] {
                services[name] = ServiceDefinition(
                    name: name,
                    engine: .openai(providers: name == "one" ? providers : [providers[0]], options: .null)
                )
            }
            let fixture = try await ServiceFixture(services: services) { $0.environment = ["KEY": "topsecret"] }
            try await fixture.serve { client in
                let answer = try await client.get("/providers/status")
                #expect(answer.status == 200 && !answer.text.contains("topsecret"), "\(answer.text)")
                let list = try #require(answer.json["providers"]?.array)
                #expect(list.compactMap { $0["name"]?.string } == ["good", "locked", "plain", "dead", "unset"])
                #expect(list.compactMap { $0["reachable"]?.bool } == [true, true, true, false, false])
                #expect(list[0]["models"] == ["small", "large"] && list[0]["services"] == ["one", "two"])
                #expect(list[0]["latency_ms"]?.int != nil && list[0]["model"] == "small")
                #expect(list[1]["error"]?.string?.contains("401") == true && list[1]["models"] == .null)
                #expect(list[3]["error"]?.string?.isEmpty == false && list[4]["configured"] == false)
                // Asked again soon: the same answer, the upstream is left alone.
                #expect(try await client.get("/providers/status").json == answer.json)
            }
        }
    }

    @Test func sidecarsAndWorkersAreShown() async throws {
        try await Upstream.run { upstream in
            let fixture = try await ServiceFixture.jobs {
                $0.infrastructure = [
                    ("gpu-1", "\(upstream)/gpus"), ("vllm", "\(upstream)/metrics"), ("gone", "http://127.0.0.1:1/"),
                    ("wrong", "\(upstream)/nothing"),
                ]
            }
            try await fixture.serve { client in
                _ = try await client.claim("w-7")
                try await until { try await !fixture.ledger.workers().isEmpty }
                let answer = try await client.get("/infra/status")
                let list = try #require(answer.json["sidecars"]?.array)
                #expect(list.compactMap { $0["reachable"]?.bool } == [true, true, false, true], "\(answer.text)")
                #expect(list[0]["status"]?["gpus"]?.array?.count == 1)
                #expect(list[1]["metrics"] == ["vllm:num_requests_running{model=\"a b\"}": 3, "up": 1])
                #expect(list[3]["error"] == "HTTP 404")
                #expect(answer.json["workers"]?.array?.first?["worker_id"] == "w-7")
            }
        }
    }
}

/// A server that answers as upstreams and sidecars do.
private enum Upstream {
    static func run(_ body: @Sendable (String) async throws -> Void) async throws {
        let router = Router()
        router.get("/v1/models") { request, _ -> Response in
            guard request.headers[.authorization] == "Bearer topsecret" else { return Response(status: .unauthorized) }
            return .json(["data": [["id": "small"], ["id": "large"]]])
        }
        router.get("/locked/v1/models") { _, _ in Response(status: .unauthorized) }
        router.get("/gpus") { _, _ in Response.json(["gpus": [["name": "RTX", "memory_used": 7]]]) }
        router.get("/metrics") { _, _ in
            let text = """
                # HELP vllm:num_requests_running Running.
                vllm:num_requests_running{model="a b"} 3.0
                latency_bucket{le="1"} 5
                up 1
                """
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: text)))
        }
        try await Application(router: router).test(.live) { client in
            try await body("http://127.0.0.1:\(try #require(client.port))")
        }
    }
}
