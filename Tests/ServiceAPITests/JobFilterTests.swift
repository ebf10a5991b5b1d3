// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Ledger
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// The filters and the pages of `GET /api/v1/jobs`, and what becomes of calls whose clients are gone.
@Suite(.timeLimit(.minutes(1))) struct JobFilterTests {
    @Test func everyFilterFindsItsJobs() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let before = Timestamp.now - .seconds(1)
            let chat = try await client.create { $0["owner_ref"] = "ref/1" }
            let speech = try await client.create("transcribe") {
                $0["owner_service"] = "monitoring"
                $0["model_profile"] = "whisperx"
            }
            _ = try await client.claim("w-3") { $0["task_types"] = ["llm_chat"] }
            let after = Timestamp.now + .seconds(1)
            let expected: [(query: String, jobs: [String])] = [
                ("", [speech, chat]), ("owner_service=telephony", [chat]), ("owner_service=nobody", []),
                ("owner_ref=ref/1", [chat]), ("owner_ref=ref%2F1", [chat]), ("task_type=transcribe", [speech]),
                ("task_type=transcription", [speech]), ("task_type=llm_chat&task_type=transcribe", [speech, chat]),
                ("model_profile=whisperx", [speech]), ("worker_id=w-3", [chat]), ("worker_id=w-4", []),
                ("status=running", [chat]), ("status=pending", [speech]),
                ("status=running&status=pending", [speech, chat]),
                ("service=speech", [speech]), ("service=speech&status=running", []),
                ("created_from=\(before.rfc3339)", [speech, chat]), ("created_to=\(before.rfc3339)", []),
                ("created_from=\(after.rfc3339)", []), ("task_id=\(MeshID())", []),
                ("created_to=\(after.rfc3339)&limit=1", [speech]),
            ]
            for (query, jobs) in expected {
                let answer = try await client.get("/jobs?\(query)")
                let ids = (answer.json["jobs"]?.array ?? []).compactMap { $0["id"]?.string }
                #expect(answer.status == 200 && ids == jobs, "\(query): \(answer.text)")
                #expect(answer.json["jobs"]?.array?.allSatisfy { $0["input"] == nil && $0["result"] == nil } == true)
            }
        }
    }

    @Test(arguments: [
        ("task_id=x", "task_id"), ("created_from=monday", "created_from"), ("created_to=1", "created_to"),
        ("owner_service=", "owner_service"), ("owner_ref=%00", "owner_ref"), ("task_type=", "task_type"),
        ("model_profile=%0A", "model_profile"), ("worker_id=", "worker_id"), ("service=", "service"),
        ("owner_service=a&owner_service=b", "owner_service"), ("limit=1&limit=2", "limit"),
    ])
    func aWrongFilterIsNamed(_ query: String, _ field: String) async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let answer = try await client.get("/jobs?\(query)")
            #expect(answer.isProblem(422) && answer.field == field, "\(answer.text)")
        }
    }

    @Test func pagesOfAFilterShowEachJobOnceWhileOthersAreCreated() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let batch: JSON = ["defaults": ["task_type": "llm_chat"], "jobs": .array(Array(repeating: [:], count: 25))]
            let created = try await client.post("/jobs/batch", batch).json["jobs"]?.array ?? []
            var seen: [String] = []
            var cursor = ""
            while true {
                let page = try await client.get("/jobs?task_type=llm_chat&limit=7\(cursor)").json
                seen += (page["jobs"]?.array ?? []).compactMap { $0["id"]?.string }
                guard let next = page["next_cursor"]?.string else { break }
                cursor = "&cursor=\(next)"
                _ = try await client.create()
                _ = try await client.create("transcribe")
            }
            #expect(seen.count == 25 && Set(seen) == Set(created.compactMap { $0["id"]?.string }))
        }
    }

    @Test func whoHasGoneGetsNoJob() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            for _ in 0..<5 {
                let request = TransferRequest(
                    "POST",
                    "\(client.base)/api/v1/jobs/claim",
                    body: .bytes((["worker_id": "gone", "wait_seconds": 20] as JSON).bytes),
                    timeout: .milliseconds(200)
                )
                await #expect(throws: TransferError.self) { try await CurlTransfer().send(request) }
            }
            let id = try await client.create()
            // One that was given out to nobody would come back only when its lease has run out.
            let job = try #require(try await client.claim("here") { $0["wait_seconds"] = 20 }.first)
            #expect(job["id"]?.string == id)
        }
    }

    @Test func jobsThatDidNotArriveWaitAgain() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let id = try await client.create()
            do {
                let records = try await fixture.desk.claim(services: ["chat"], worker: "w", limit: 1)
                #expect(records.count == 1)
                _ = AnswerDelivery(records, desk: fixture.desk)
            }
            let again = try #require(try await client.claim("w-2") { $0["wait_seconds"] = 20 }.first)
            #expect(again["id"]?.string == id && again["attempt"] == 2)
            // One that has arrived stays where it is.
            _ = try await client.create()
            let records = try await fixture.desk.claim(services: ["chat"], worker: "w", limit: 1)
            let delivery = AnswerDelivery(records, desk: fixture.desk)
            delivery.succeed()
            _ = consume delivery
            #expect(try await client.claim { $0["wait_seconds"] = 0.2 }.isEmpty)
        }
    }
}
