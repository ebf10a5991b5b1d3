// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Ledger
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// `POST /api/v1/jobs` and `/api/v1/jobs/batch`.
@Suite(.timeLimit(.minutes(1))) struct JobCreatingTests {
    @Test func aJobIsShownAsTheContractSays() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let deadline = (Timestamp.now + .seconds(600)).rfc3339
            let answer = try await client.post(
                "/jobs",
                [
                    "owner_service": "telephony", "owner_ref": "beeline/4711", "task_type": "transcribe",
                    "model_profile": "whisperx", "priority": 3, "max_attempts": 2, "input": ["url": "s3://b/k"],
                    "deadline": .string(deadline),
                ]
            )
            #expect(answer.status == 201, "\(answer.text)")
            let id = try #require(answer.json["id"]?.string)
            #expect(answer["location"] == "/api/v1/jobs/\(id)")
            let shown = try await client.get("/jobs/\(id)")
            for json in [answer.json, shown.json] {
                #expect(json["service"] == "speech" && json["status"] == "pending" && json["attempt"] == 0)
                #expect(json["owner_service"] == "telephony" && json["owner_ref"] == "beeline/4711")
                #expect(json["task_type"] == "transcribe" && json["model_profile"] == "whisperx")
                #expect(json["priority"] == 3 && json["max_attempts"] == 2)
                #expect(json["input"] == ["url": "s3://b/k"] && json["deadline"]?.string == deadline)
                let names = [
                    "result", "error", "usage", "worker_id", "lease_id", "lease_expires_at", "run_after", "task_id",
                    "stage", "item", "started_at", "finished_at", "duration_ms",
                ]
                for name in names { #expect(json[name] == .null, "\(name): \(json.text)") }
                #expect(json["created_at"]?.string.flatMap { Timestamp(rfc3339: $0) } != nil)
            }
        }
    }

    @Test func theWrongFieldIsNamed() async throws {
        let fixture = try await ServiceFixture.jobs()
        let good: JSONObject = JSONObject([("task_type", "strict"), ("input", ["text": "x"])])
        let past = (Timestamp.now - .seconds(1)).rfc3339
        let wrong: [(name: String, value: JSON, field: String)] = [
            ("task_type", nil, "/task_type"), ("task_type", "", "/task_type"), ("task_type", 7, "/task_type"),
            ("task_type", "nosuch", "/task_type"), ("task_type", "a\u{0}b", "/task_type"),
            ("task_type", .string(String(repeating: "x", count: 256)), "/task_type"),
            ("owner_service", 1, "/owner_service"), ("owner_service", "", "/owner_service"),
            ("owner_ref", [:], "/owner_ref"), ("owner_ref", .string(String(repeating: "r", count: 1025)), "/owner_ref"),
            ("model_profile", true, "/model_profile"), ("user", 3, "/user"),
            ("priority", 8, "/priority"), ("priority", -8, "/priority"), ("priority", 0.5, "/priority"),
            ("priority", "1", "/priority"), ("max_attempts", 0, "/max_attempts"),
            ("max_attempts", 101, "/max_attempts"), ("max_attempts", "3", "/max_attempts"),
            ("deadline", "tomorrow", "/deadline"), ("deadline", 17, "/deadline"),
            ("deadline", .string(past), "/deadline"), ("run_after", "2026-13-01T00:00:00Z", "/run_after"),
            ("dedup_key", "", "/dedup_key"), ("dedup_key", ["a"], "/dedup_key"),
            ("input", 7, "/input"), ("input", ["text": 1], "/input/text"), ("input", [:], "/input/text"),
            ("input", ["text": "x", "size": 0], "/input/size"), ("inputs", [:], "/inputs"),
            ("id", "x", "/id"), ("status", "running", "/status"),
        ]
        try await fixture.serve { client in
            for (name, value, field) in wrong {
                var body = good
                body[name] = value
                let answer = try await client.post("/jobs", .object(body))
                #expect(answer.isProblem(422), "\(name) \(value.text): \(answer.text)")
                #expect(answer.field == field, "\(name) \(value.text): \(answer.text)")
            }
            for body in ["", "[]", "{", "7", "null", "\"x\""] {
                #expect(try await client.send("POST", "/api/v1/jobs", Array(body.utf8)).isProblem(400), "\(body)")
            }
            let later = Timestamp.now + .seconds(60)
            var body = good
            body["run_after"] = .string((later + .seconds(1)).rfc3339)
            body["deadline"] = .string(later.rfc3339)
            #expect(try await client.post("/jobs", .object(body)).field == "/deadline")
            #expect(try await client.get("/jobs").json["jobs"] == [])
        }
    }

    @Test func theServiceIsFoundByTypeAndProfileTogether() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let expected: [(type: String, profile: String?, service: String?)] = [
                ("llm_chat", "small", "chat"), ("llm_chat", nil, "chat"), ("call_analysis", nil, "chat"),
                ("transcribe", "whisperx", "speech"), ("transcription", nil, "speech"), ("speech", nil, "speech"),
                ("llm_chat", "whisperx", nil), ("transcription", "large", nil), ("ocr", nil, nil),
            ]
            for (type, profile, service) in expected {
                var body = JSONObject([("task_type", .string(type))])
                if let profile { body["model_profile"] = .string(profile) }
                let answer = try await client.post("/jobs", .object(body))
                if let service {
                    #expect(answer.status == 201 && answer.json["service"]?.string == service, "\(answer.text)")
                } else {
                    #expect(answer.isProblem(422) && answer.detail.contains("transcription with whisperx"))
                }
            }
        }
    }

    @Test func theSameKeyGivesTheSameJob() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let body: JSON = ["task_type": "llm_chat", "owner_service": "telephony", "dedup_key": "call-1"]
            let first = try await client.post("/jobs", body)
            let again = try await client.post("/jobs", body.adding("input", ["other": true]))
            #expect(first.status == 201 && again.status == 200 && again.json["id"] == first.json["id"])
            #expect(again.json["input"] == [:], "the job is as it was created")
            // The header says the same as the member.
            let header = try await client.send(
                "POST",
                "/api/v1/jobs",
                (["task_type": "llm_chat", "owner_service": "telephony"] as JSON).bytes,
                headers: [("idempotency-key", "call-1")]
            )
            #expect(header.status == 200 && header.json["id"] == first.json["id"])
            let both = try await client.send(
                "POST",
                "/api/v1/jobs",
                body.bytes,
                headers: [("idempotency-key", "call-2")]
            )
            #expect(both.isProblem(422) && both.field == "/dedup_key")
            // Another owner's key is another key.
            let other = try await client.post("/jobs", body.adding("owner_service", "monitoring"))
            #expect(other.status == 201 && other.json["id"] != first.json["id"])
            // Many at once: one job.
            let ids = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await client.post("/jobs", body.adding("dedup_key", "race")).json["id"]?.string ?? ""
                    }
                }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
        }
    }

    @Test func aFullBacklogPushesBack() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let job: JSON = ["task_type": "strict", "input": ["text": "x"]]
            for _ in 0..<5 { #expect(try await client.post("/jobs", job).status == 201) }
            let full = try await client.post("/jobs", job)
            #expect(full.isProblem(429) && full["retry-after"] == "2" && full.detail.contains("'strict'"))
            // Other services are not held up.
            #expect(try await client.post("/jobs", ["task_type": "llm_chat"]).status == 201)
            let jobs = try await client.claim { $0["task_types"] = ["strict"] }
            #expect(jobs.count == 1)
            try await fixture.tickets.countTickets()
            #expect(try await client.post("/jobs", job).status == 201)
        }
    }

    @Test func aBatchIsAllOrNoneUnlessItIsPartial() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let jobs: JSON = [["input": ["text": "a"]], ["input": ["text": 1]], ["task_type": "llm_chat"], 7]
            let batch: JSON = ["defaults": ["task_type": "strict", "owner_service": "t", "priority": 2], "jobs": jobs]
            let refused = try await client.post("/jobs/batch", batch)
            #expect(refused.isProblem(422) && refused.field == "/jobs/1/input/text", "\(refused.text)")
            #expect(try await client.get("/jobs").json["jobs"] == [])

            let partial = try await client.post("/jobs/batch", batch.adding("partial", true))
            #expect(partial.status == 201, "\(partial.text)")
            let answers = try #require(partial.json["jobs"]?.array)
            #expect(answers.count == 4 && answers[0]["id"]?.string != nil && answers[2]["id"]?.string != nil)
            #expect(answers[1]["error"]?["field"] == "/jobs/1/input/text")
            #expect(answers[3]["error"]?["field"] == "/jobs/3")
            let listed = try #require(try await client.get("/jobs").json["jobs"]?.array)
            #expect(Set(listed.compactMap { $0["id"] }) == [answers[0]["id"], answers[2]["id"]])
            #expect(listed.allSatisfy { $0["owner_service"] == "t" && $0["priority"] == 2 })
        }
    }

    @Test func aBatchHasFromOneToTenThousandJobs() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            func batch(_ count: Int) -> JSON {
                ["defaults": ["task_type": "llm_chat"], "jobs": .array(Array(repeating: [:], count: count))]
            }
            for count in [0, 10_001] {
                let answer = try await client.post("/jobs/batch", batch(count))
                #expect(answer.isProblem(422) && answer.field == "/jobs")
            }
            let answer = try await client.post("/jobs/batch", batch(10_000))
            let ids = (answer.json["jobs"]?.array ?? []).compactMap { $0["id"]?.string }
            #expect(answer.status == 201 && Set(ids).count == 10_000, "\(answer.text.prefix(300))")
            // The same keys within a batch, and of a job that was there before.
            let keyed: JSON = ["task_type": "llm_chat", "dedup_key": "k"]
            let twice = try await client.post("/jobs/batch", ["jobs": [keyed, keyed]])
            let first = try #require(twice.json["jobs"]?.array)
            #expect(first[0]["id"] == first[1]["id"] && first[1]["existing"] == true && first[0]["existing"] == nil)
        }
    }

    @Test func limitsOfUsersAndTokensAreNamed() async throws {
        let limits = """
            users: { telephony: { waiting_jobs: 2 } }
            tokens: { team: { requests_per_second: 0.001, burst: 3 } }
            """
        let fixture = try await ServiceFixture.jobs(serviceTokens: ["team:one", "two"], limits: limits)
        try await fixture.serve { client in
            let body = (["task_type": "llm_chat", "owner_service": "telephony"] as JSON).bytes
            func create() async throws -> ServiceClient.Answer {
                try await client.send("POST", "/api/v1/jobs", body, authorization: "Bearer two")
            }
            #expect(try await create().status == 201)
            #expect(try await create().status == 201)
            let refused = try await create()
            #expect(refused.isProblem(429) && refused["retry-after"] != nil)
            #expect(refused.json["limit"]?.string == "waiting_jobs of user 'telephony'", "\(refused.text)")

            var last = try await client.send("GET", "/api/v1/jobs", authorization: "Bearer one")
            for _ in 0..<10 where last.status == 200 {
                last = try await client.send("GET", "/api/v1/jobs", authorization: "Bearer one")
            }
            #expect(last.isProblem(429) && last.json["limit"]?.string?.contains("token 'team'") == true)
        }
    }

    @Test func aNullIsAsGoodAsNothing() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            let body: JSON = [
                "task_type": "beta", "model_profile": .null, "owner_service": .null, "owner_ref": .null, "user": .null,
                "priority": .null, "max_attempts": .null, "run_after": .null, "deadline": .null, "dedup_key": .null,
                "input": .null,
            ]
            let answer = try await client.send("POST", "/api/v1/jobs", body.bytes)
            #expect(answer.status == 201, "\(answer.text)")
        }
    }

    @Test func aRepeatSaysThatItIsOne() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            let body: JSON = ["task_type": "beta", "dedup_key": "k"]
            let first = try await client.send("POST", "/api/v1/jobs", body.bytes)
            #expect(first.status == 201 && first["idempotency-replayed"] == nil)
            let second = try await client.send("POST", "/api/v1/jobs", body.bytes)
            #expect(second.status == 200 && second["idempotency-replayed"] == "true")
            #expect(second.json["id"] == first.json["id"])
        }
    }

    @Test func aRepeatNeedsNoRoom() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            let body: JSON = ["task_type": "alpha", "dedup_key": "k"]
            let first = try await client.send("POST", "/api/v1/jobs", body.bytes)
            #expect(first.status == 201)
            // The backlog of alpha is 3.
            _ = fixture.admission.reserve(2, of: "alpha")
            let other: JSON = ["task_type": "alpha", "dedup_key": "other"]
            #expect(try await client.send("POST", "/api/v1/jobs", other.bytes).status == 429)
            let again = try await client.send("POST", "/api/v1/jobs", body.bytes)
            #expect(again.status == 200 && again.json["id"] == first.json["id"])
            let batch: JSON = ["jobs": [body, other]]
            #expect(try await client.send("POST", "/api/v1/jobs/batch", batch.bytes).status == 429)
            let repeats: JSON = ["jobs": [body, body]]
            let answer = try await client.send("POST", "/api/v1/jobs/batch", repeats.bytes)
            #expect(
                answer.status == 201 && answer.json["jobs"]?.array?.allSatisfy { $0["id"] == first.json["id"] } == true
            )
        }
    }
}
