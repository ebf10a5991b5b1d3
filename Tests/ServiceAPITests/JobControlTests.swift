// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// `cancel` and `retry`, of one job and of all that filters match.
@Suite(.timeLimit(.minutes(1))) struct JobControlTests {
    @Test func aStateAllowsWhatItAllows() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let done = try await client.create()
            _ = try await client.claim()
            _ = try await client.post("/jobs/\(done)/complete", ["worker_id": "w-1", "result": 1])
            for call in ["cancel", "retry"] {
                let answer = try await client.post("/jobs/\(done)/\(call)")
                #expect(answer.isProblem(409) && answer.detail.contains("completed"), "\(answer.text)")
                #expect(try await client.post("/jobs/\(MeshID())/\(call)").isProblem(404))
                #expect(try await client.post("/jobs/x/\(call)").isProblem(404))
            }
            let waiting = try await client.create()
            #expect(try await client.post("/jobs/\(waiting)/retry").isProblem(409), "it is due already")
            #expect(try await client.post("/jobs/\(waiting)/cancel").json["status"] == "cancelled")
            #expect(try await client.post("/jobs/\(waiting)/cancel").isProblem(409))
            #expect(try await client.post("/jobs/\(waiting)/retry").isProblem(409))

            let failed = try await client.create()
            _ = try await client.claim()
            let failure: JSON = ["worker_id": "w-1", "category": "handler", "message": "x", "retry": false]
            #expect(try await client.post("/jobs/\(failed)/fail", failure).json["status"] == "failed")
            let again = try await client.post("/jobs/\(failed)/retry")
            #expect(again.json["status"] == "pending" && again.json["failures"] == 0 && again.json["error"] == .null)
            #expect(try await client.claim().first?["attempt"] == 2)

            let later = try await client.create {
                $0["run_after"] = .string((Timestamp.now + .seconds(3600)).rfc3339)
            }
            #expect(try await client.claim().isEmpty)
            #expect(try await client.post("/jobs/\(later)/retry").json["run_after"] == .null)
            #expect(try await client.claim().first?["id"]?.string == later)
        }
    }

    @Test func filtersMatchWhatTheySay() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            for owner in ["a", "a", "b"] { _ = try await client.create { $0["owner_service"] = .string(owner) } }
            _ = try await client.create("transcribe") { $0["owner_service"] = "a" }
            let held = try #require(try await client.claim("w-9") { $0["task_types"] = ["llm_chat"] }.first)
            let nothing = try await client.post("/jobs/cancel", ["owner_service": "c"])
            #expect(nothing.json == ["matched": 0, "changed": 0])
            #expect(try await client.post("/jobs/cancel", ["worker_id": "w-9"]).json == ["matched": 1, "changed": 1])
            #expect(try await client.get("/jobs/\(held["id"]?.string ?? "")").json["status"] == "cancelled")
            // What has ended is not looked at.
            let owner: JSON = ["owner_service": "a", "task_type": ["transcription", "llm_chat"]]
            #expect(try await client.post("/jobs/cancel", owner).json == ["matched": 2, "changed": 2])
            #expect(try await client.post("/jobs/cancel?status=pending").json == ["matched": 1, "changed": 1])
            let left = try await client.get("/jobs?status=pending&status=running")
            #expect(left.json["jobs"] == [])
        }
    }

    @Test func aFilterIsNeeded() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            _ = try await client.create()
            for call in ["cancel", "retry"] {
                for body in ["", "{}", #"{"status":null}"#] {
                    let answer = try await client.send("POST", "/api/v1/jobs/\(call)", Array(body.utf8))
                    #expect(answer.isProblem(422) && answer.detail.contains("at least one"), "\(answer.text)")
                }
                let wrong: [(body: JSON, field: String)] = [
                    (["status": "waiting"], "/status"), (["owner": "a"], "/owner"), (["limit": 5], "/limit"),
                    (["task_id": "x"], "/task_id"), (["created_from": "today"], "/created_from"),
                    (["created_to": 5], "/created_to"), (["worker_id": 7], "/worker_id"),
                    (["owner_service": ["a", "b"]], "/owner_service"), (["task_type": [7]], "/task_type"),
                    (["model_profile": ""], "/model_profile"), (["service": [:]], "/service"),
                ]
                for (body, field) in wrong {
                    let answer = try await client.post("/jobs/\(call)", body)
                    #expect(answer.isProblem(422) && answer.field == field, "\(answer.text)")
                }
                #expect(try await client.post("/jobs/\(call)?status=failed", ["status": "failed"]).isProblem(422))
            }
            #expect(try await client.get("/jobs?status=pending").json["jobs"]?.array?.count == 1)
        }
    }

    @Test func manyJobsAreRetriedAndCancelled() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let batch: JSON = [
                "defaults": ["task_type": "llm_chat", "max_attempts": 1],
                "jobs": .array(Array(repeating: [:], count: 1201)),
            ]
            #expect(try await client.post("/jobs/batch", batch).status == 201)
            let claimed = try await fixture.desk.claim(services: ["chat"], worker: "w", limit: 1100)
            let settlements = claimed.compactMap { record in
                record.job.lease.map {
                    Settlement(job: record.job.id, event: .failed(lease: $0, JobError(.handler, "broke")))
                }
            }
            try await fixture.desk.settle(settlements)
            let retried = try await client.post("/jobs/retry", ["task_type": "llm_chat", "status": "failed"])
            #expect(retried.json == ["matched": 1100, "changed": 1100])
            let cancelled = try await client.post("/jobs/cancel", ["task_type": "llm_chat"])
            #expect(cancelled.json == ["matched": 1201, "changed": 1201])
        }
    }
}
