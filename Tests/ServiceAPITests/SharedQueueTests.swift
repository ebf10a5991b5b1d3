// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import Plumbing
import ResultStore
import Testing
import Workflow

@testable import ServiceAPI

/// Workers elsewhere and the mesh's own take from one queue, under one rule.
@Suite(.timeLimit(.minutes(1))) struct SharedQueueTests {
    @Test func bothKindsOfWorkersShareTheJobs() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let batch: JSON = [
                "defaults": ["task_type": "transcribe"], "jobs": .array(Array(repeating: [:], count: 200)),
            ]
            #expect(try await client.post("/jobs/batch", batch).status == 201)
            #expect(try await fixture.depth("speech") == 200)
            let claimed = try await withThrowingTaskGroup(of: [String].self) { group in
                for worker in 0..<10 {
                    group.addTask {
                        try await client.claim("far-\(worker)") { $0["limit"] = 10 }.compactMap { $0["id"]?.string }
                    }
                    group.addTask { try await fixture.claim(10, service: "speech").map(\.id.description) }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(claimed.count == 200 && Set(claimed).count == 200)
        }
    }

    @Test func aJobOfTheMeshIsNotHandedInByOthers() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let id = try await client.create("transcribe")
            #expect(try await fixture.claim(1, service: "speech").count == 1)
            let answer = try await client.post("/jobs/\(id)/complete", ["worker_id": "far", "result": 1])
            #expect(answer.isProblem(409))
            #expect(try await client.get("/jobs/\(id)").json["lease_expires_at"] == .null)
        }
    }

    @Test func whatTheMeshsWorkersSayIsSettled() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve(isRunning: true) { client in
            let id = try await client.create("transcribe")
            var events = try await EventReader(client, id)
            #expect(try await events.next()?.data["status"] == "pending")
            let job = try await fixture.claim(1, service: "speech")[0]
            #expect(try await events.next()?.data["status"] == "running")
            let completion = Completion(
                job: job.id,
                lease: try #require(job.lease),
                failure: nil,
                result: Array(#"{"text":"hola"}"#.utf8),
                runMilliseconds: 5,
                usage: JobUsage(gpuMilliseconds: 5)
            )
            let queue = QueueName.completions(service: "speech")
            try await fixture.broker.declare(queue)
            try await fixture.broker.publish([Message(queue: queue, body: completion.body)])
            let last = try await events.next()
            #expect(last?.data["result"] == ["text": "hola"] && last?.data["usage"]?["gpu_ms"] == 5)
            #expect(try await events.next() == nil)
        }
    }

    @Test func whoRunsACancelledJobIsToldAtOnce() async throws {
        let fixture = try await ServiceFixture.jobs()
        let hints = fixture.parts.results.hints()
        try await fixture.serve { client in
            let id = try await client.create("transcribe")
            let lease = try #require(try await fixture.claim(1, service: "speech")[0].lease)
            #expect(try await client.post("/jobs/\(id)/cancel").json["status"] == "cancelled")
            var told: [Hint] = []
            for await hint in hints {
                told.append(hint)
                if told.contains(.cancelled([lease])) { break }
            }
            #expect(told.contains(.cancelled([lease])))
        }
    }
}
