// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import MallaTestKit
import Plumbing
import ResultStore
import Testing
import Workflow

@testable import ServiceAPI

/// `claim`, `heartbeat`, `complete` and `fail`: what workers elsewhere do.
@Suite(.timeLimit(.minutes(1))) struct JobClaimingTests {
    @Test func aJobGoesFromClaimToResult() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let id = try await client.create { $0["input"] = ["q": 1] }
            let job = try #require(try await client.claim().first)
            #expect(job["id"]?.string == id && job["input"] == ["q": 1] && job["status"] == "running")
            #expect(job["attempt"] == 1 && job["worker_id"] == "w-1")
            let lease = try #require(job["lease_id"]?.string)
            let until = try #require(job["lease_expires_at"]?.string.flatMap { Timestamp(rfc3339: $0) })
            #expect(until > .now + .seconds(14 * 60) && until < .now + .seconds(16 * 60))

            let beat: JSON = ["worker_id": "w-1", "lease_id": .string(lease), "progress": ["done": 0.5]]
            let renewed = try await client.post("/jobs/\(id)/heartbeat", beat.adding("lease_seconds", 3600))
            #expect(renewed.status == 200 && renewed.json["cancel"] == false, "\(renewed.text)")
            let later = renewed.json["lease_expires_at"]?.string.flatMap { Timestamp(rfc3339: $0) }
            #expect(try #require(later) > until && renewed.json["lease_id"]?.string == lease)
            #expect(try await client.get("/jobs/\(id)").json["progress"] == ["done": 0.5])

            let result: JSON = ["worker_id": "w-1", "lease_id": .string(lease), "result": ["a": 1]]
            let usage: JSON = ["prompt_tokens": 7]
            for _ in 0..<2 {
                let done = try await client.post("/jobs/\(id)/complete", result.adding("usage", usage))
                #expect(done.status == 200 && done.json["status"] == "completed", "\(done.text)")
                #expect(done.json["result"] == ["a": 1] && done.json["usage"]?["prompt_tokens"] == 7)
                #expect(done.json["usage"]?["cost_usd"]?.double ?? 0 > 0, "the time held has its price")
                #expect(done.json["progress"] == .null && done.json["duration_ms"]?.int != nil)
            }
            let workers = try await client.get("/workers").json["workers"]?.array ?? []
            #expect(workers.first?["worker_id"] == "w-1" && workers.first?["remote"] == true)
        }
    }

    @Test func noTwoWorkersShareAnAttempt() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let batch: JSON = [
                "defaults": ["task_type": "llm_chat"], "jobs": .array(Array(repeating: [:], count: 1000)),
            ]
            #expect(try await client.post("/jobs/batch", batch).status == 201)
            let claimed = try await withThrowingTaskGroup(of: [String].self) { group in
                for worker in 0..<100 {
                    group.addTask {
                        let jobs = try await client.claim("w-\(worker)") { $0["limit"] = 10 }
                        return jobs.compactMap { $0["id"]?.string }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(claimed.count == 1000 && Set(claimed).count == 1000)
            #expect(try await client.claim().isEmpty)
        }
    }

    @Test func aHeldCallIsAnsweredAsSoonAsThereIsAJob() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let nothing = ContinuousClock.now
            #expect(try await client.claim { $0["wait_seconds"] = 0.2 }.isEmpty)
            #expect(ContinuousClock.now - nothing >= .milliseconds(190))
            async let held = client.claim("w-2") { $0["wait_seconds"] = 20 }
            try await until { try await fixture.ledger.workers().contains { $0.beat.worker == "w-2" } }
            let began = ContinuousClock.now
            let id = try await client.create()
            #expect(try await held.first?["id"]?.string == id)
            #expect(ContinuousClock.now - began < .seconds(5))
        }
    }

    @Test func jobsOfAnotherServiceAPIWakeACallThatHears() async throws {
        let fixture = try await ServiceFixture.jobs()
        let listener = Task { try await HintListener(desk: fixture.desk, workers: fixture.workers).run() }
        try await fixture.serve { client in
            async let held = client.claim("w-2") {
                $0["wait_seconds"] = 20
                $0["task_types"] = ["speech"]
            }
            try await until { try await fixture.ledger.workers().contains { $0.beat.worker == "w-2" } }
            // Created in the ledger by somebody else, who tells of it; the bell here is not rung.
            try await fixture.create(service: "speech")
            fixture.parts.results.tell(.waiting(service: "speech"))
            #expect(try await held.count == 1)
        }
        listener.cancel()
        _ = try? await listener.value
    }

    @Test func aWorkerGetsWhatItAsksFor() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let chat = try await client.create("llm_chat")
            let analysis = try await client.create("call_analysis") { $0["model_profile"] = "small" }
            let speech = try await client.create("transcribe")
            // Made in a dialect that names no type: whoever asks for all that its service takes gets it.
            let plain = try await fixture.create(service: "speech")[0].id.description
            func ids(_ edit: (inout JSONObject) -> Void) async throws -> [String] {
                try await client.claim {
                    $0["limit"] = 100
                    edit(&$0)
                }.compactMap { $0["id"]?.string }
            }
            // A typing mistake would be waited for in vain.
            let unknown = try await client.post("/jobs/claim", ["worker_id": "w-1", "task_types": ["ocr"]])
            #expect(unknown.isProblem(422) && unknown.field == "/task_types" && unknown.detail.contains("llm_chat"))
            #expect(try await ids { $0["task_types"] = ["call_analysis"] } == [analysis])
            let large = try await client.post("/jobs/claim", ["worker_id": "w-1", "model_profiles": ["large"]])
            #expect(large.isProblem(422) && large.field == "/model_profiles")
            #expect(Set(try await ids { $0["task_types"] = ["transcription"] }) == [speech, plain])
            #expect(try await ids { _ in } == [chat])
        }
    }

    @Test func onlyTheHolderMayHandIn() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let id = try await client.create()
            let early = try await client.post("/jobs/\(id)/complete", ["worker_id": "w-1", "result": 1])
            #expect(early.isProblem(409) && early.field == "/worker_id")
            _ = try await client.claim("w-1")
            let stale = MeshID().description
            let calls: [(call: String, body: JSON)] = [
                ("complete", ["result": 1]), ("fail", ["category": "handler", "message": "x"]), ("heartbeat", [:]),
            ]
            for (call, body) in calls {
                let other = try await client.post("/jobs/\(id)/\(call)", body.adding("worker_id", "w-2"))
                #expect(other.isProblem(409) && other.field == "/worker_id", "\(call): \(other.text)")
                let old = body.adding("worker_id", "w-1").adding("lease_id", .string(stale))
                let answer = try await client.post("/jobs/\(id)/\(call)", old)
                #expect(answer.isProblem(409) && answer.field == "/lease_id", "\(call): \(answer.text)")
                let unknown = try await client.post("/jobs/\(MeshID())/\(call)", body.adding("worker_id", "w-1"))
                #expect(unknown.isProblem(404))
            }
            // Without a lease the worker's id decides.
            #expect(try await client.post("/jobs/\(id)/heartbeat", ["worker_id": "w-1"]).status == 200)
            let done = try await client.post("/jobs/\(id)/complete", ["worker_id": "w-1", "result": nil])
            #expect(done.json["status"] == "completed" && done.json["result"] == .null, "\(done.text)")
            let late = try await client.post(
                "/jobs/\(id)/fail",
                ["worker_id": "w-1", "category": "handler", "message": "x"]
            )
            #expect(late.isProblem(409))
        }
    }

    @Test func aLeaseThatRanOutGivesTheNextWorkerAnotherAttempt() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let id = try await client.create()
            let first = try await fixture.desk.claim(
                services: ["chat"],
                worker: "w-1",
                limit: 1,
                lease: .milliseconds(5)
            )
            let stale = try #require(first.first?.job.lease)
            try await until {
                try await fixture.ledger.reap(olderThan: .seconds(6), limit: 10).ready.contains {
                    $0.id.description == id
                }
            }
            let again = try #require(try await client.claim("w-2").first)
            #expect(again["id"]?.string == id && again["attempt"] == 2 && again["worker_id"] == "w-2")
            let old: JSON = ["worker_id": "w-1", "lease_id": .string(stale.description)]
            #expect(try await client.post("/jobs/\(id)/complete", old.adding("result", 1)).isProblem(409))
            #expect(try await client.post("/jobs/\(id)/heartbeat", old).isProblem(409))
            let done = try await client.post("/jobs/\(id)/complete", ["worker_id": "w-2", "result": 2])
            #expect(done.json["result"] == 2)
        }
    }

    @Test func aFailureIsTriedAgainWhereThatMakesSense() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            func fail(_ id: String, _ edit: (inout JSONObject) -> Void) async throws -> JSON {
                _ = try await client.claim("w-1")
                var body = JSONObject([("worker_id", "w-1"), ("category", "handler"), ("message", "broke")])
                edit(&body)
                return try await client.post("/jobs/\(id)/fail", .object(body)).json
            }
            let first = try await client.create()
            let retried = try await fail(first) { _ in }
            #expect(retried["status"] == "pending" && retried["failures"] == 1 && retried["run_after"] != .null)
            #expect(retried["error"]?["category"] == "handler" && retried["error"]?["attempt"] == 1)
            let second = try await client.create()
            let final = try await fail(second) { $0["retry"] = false }
            #expect(final["status"] == "failed" && final["error"]?["message"] == "broke", "\(final.text)")
            let third = try await client.create()
            #expect(try await fail(third) { $0["category"] = "invalid_input" }["status"] == "failed")
            let fourth = try await client.create()
            let again = try await fail(fourth) {
                $0["category"] = "invalid_input"
                $0["retry"] = true
            }
            #expect(again["status"] == "pending")
            let last = try await client.create { $0["max_attempts"] = 1 }
            #expect(try await fail(last) { _ in }["status"] == "failed")
        }
    }

    @Test func whoHoldsACancelledJobHearsOfIt() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let id = try await client.create()
            let lease = try #require(try await client.claim("w-1").first?["lease_id"])
            #expect(try await client.post("/jobs/\(id)/cancel").json["status"] == "cancelled")
            for body in [["worker_id": "w-1"], ["worker_id": "w-1", "lease_id": lease]] as [JSON] {
                let beat = try await client.post("/jobs/\(id)/heartbeat", body)
                #expect(beat.status == 200 && beat.json["cancel"] == true, "\(beat.text)")
            }
            #expect(try await client.post("/jobs/\(id)/complete", ["worker_id": "w-1", "result": 1]).isProblem(409))
            // Run again elsewhere: the old holder has lost it.
            let other = try await client.create()
            _ = try await client.claim("w-1")
            #expect(try await client.post("/jobs/\(other)/retry").json["status"] == "pending")
            #expect(try await client.post("/jobs/\(other)/heartbeat", ["worker_id": "w-1"]).isProblem(409))
        }
    }

    @Test func aResultIsHeldAgainstItsService() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let id = try await client.create("strict") { $0["input"] = ["text": "x"] }
            _ = try await client.claim("w-1")
            let wrong = try await client.post(
                "/jobs/\(id)/complete",
                ["worker_id": "w-1", "result": ["score": "high"]]
            )
            #expect(wrong.isProblem(422) && wrong.field == "/result/score")
            let nested = String(repeating: "[", count: 101) + String(repeating: "]", count: 101)
            let deep = #"{"worker_id":"w-1","result":{"a":\#(nested)}}"#
            #expect(
                try await client.send("POST", "/api/v1/jobs/\(id)/complete", Array(deep.utf8)).field == "/result"
            )
            let right = try await client.post("/jobs/\(id)/complete", ["worker_id": "w-1", "result": ["score": 1]])
            #expect(right.status == 200)
        }
    }

    @Test func theWrongFieldIsNamed() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let id = try await client.create()
            _ = try await client.claim("w-1")
            let base: [String: JSON] = [
                "claim": ["worker_id": "w"], "heartbeat": ["worker_id": "w-1"],
                "complete": ["worker_id": "w-1", "result": 1],
                "fail": ["worker_id": "w-1", "category": "handler", "message": "x"],
            ]
            let wrong: [(call: String, name: String, value: JSON, field: String)] = [
                ("claim", "worker_id", nil, "/worker_id"), ("claim", "worker_id", 7, "/worker_id"),
                ("claim", "limit", 0, "/limit"), ("claim", "limit", 101, "/limit"), ("claim", "limit", "1", "/limit"),
                ("claim", "task_types", 5, "/task_types"), ("claim", "task_types", [1], "/task_types"),
                ("claim", "model_profiles", [""], "/model_profiles"),
                ("claim", "lease_seconds", 0, "/lease_seconds"), ("claim", "lease_seconds", "9", "/lease_seconds"),
                ("claim", "wait_seconds", 31, "/wait_seconds"), ("claim", "wait_seconds", -1, "/wait_seconds"),
                ("claim", "worker", "w", "/worker"),
                ("heartbeat", "worker_id", nil, "/worker_id"), ("heartbeat", "lease_id", "x", "/lease_id"),
                ("heartbeat", "lease_seconds", 90_000, "/lease_seconds"), ("heartbeat", "state", 1, "/state"),
                ("complete", "worker_id", "", "/worker_id"), ("complete", "lease_id", 1, "/lease_id"),
                ("complete", "usage", 1, "/usage"), ("complete", "usage", ["gpu_ms": -1], "/usage/gpu_ms"),
                ("complete", "usage", ["cost_usd": "1"], "/usage/cost_usd"),
                ("complete", "usage", ["tokens": 1], "/usage/tokens"), ("complete", "output", 1, "/output"),
                ("fail", "category", "oops", "/category"), ("fail", "category", nil, "/category"),
                ("fail", "message", 1, "/message"), ("fail", "message", nil, "/message"),
                ("fail", "retry", "yes", "/retry"), ("fail", "error", "x", "/error"),
            ]
            for (call, name, value, field) in wrong {
                let path = call == "claim" ? "/jobs/claim" : "/jobs/\(id)/\(call)"
                let answer = try await client.post(path, try #require(base[call]).adding(name, value))
                #expect(answer.isProblem(422) && answer.field == field, "\(call) \(name) \(value.text): \(answer.text)")
            }
            let missing = try await client.post("/jobs/\(id)/complete", ["worker_id": "w-1"])
            #expect(missing.isProblem(422) && missing.field == "/result")
            #expect(try await client.get("/jobs/\(id)").json["status"] == "running")
        }
    }
}
