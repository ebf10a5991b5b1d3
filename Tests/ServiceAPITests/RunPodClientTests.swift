// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import ResultStore
import Testing
import Workflow

@testable import ServiceAPI

/// RunPod's client calls: submitting, reading and controlling jobs.
@Suite(.timeLimit(.minutes(1))) struct RunPodClientTests {
    @Test func aJobIsSubmittedAndFollowedToItsEnd() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let id = try await client.run("talk", ["input": ["n": 1], "unknown": [1], "webhook": .null])
            #expect(try await client.status("talk", id) == ["id": .string(id), "status": "IN_QUEUE"])
            let record = try await fixture.claim("talk")
            #expect(record.job.id.description == id && record.job.maxAttempts == 1)
            #expect(try JSON(parsing: record.input) == ["n": 1])
            #expect(try await client.status("talk", id)["status"] == "IN_PROGRESS")
            let lease = try #require(record.job.lease)
            let key = ResultKey(.progress, record.job.id, lease: lease)
            fixture.parts.results.put([(key, Array(#"{"half":true}"#.utf8))], timeToLive: .seconds(60))
            let running = try await client.status("talk", id)
            #expect(running["output"] == ["half": true] && running["delayTime"]?.int != nil)
            let holder = JobHolder(worker: "w", lease: lease)
            _ = try await fixture.desk.complete(record.job.id, by: holder, result: ["echo": 1], usage: nil)
            let done = try await client.send("GET", "/v2/talk/status/\(id)?ttl=60000")
            #expect(done.status == 200 && done.json["status"] == "COMPLETED" && done.json["output"] == ["echo": 1])
            #expect(done.json["executionTime"]?.int != nil && done.json["error"] == nil)
        }
    }

    @Test func aFailureTellsWhyAndIsNotTriedAgain() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let id = try await client.run("talk", ["input": "x"])
            try await fixture.work("talk") { _ in throw JobError(.handler, "ValueError: bad") }
            let failed = try await client.status("talk", id)
            #expect(failed["status"] == "FAILED" && failed["error"] == "ValueError: bad" && failed["output"] == nil)
        }
    }

    @Test func runsyncWaitsForTheEnd() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            async let answer = client.send("POST", "/v2/talk/runsync", #"{"input":{"a":"ü"}}"#.utf8Bytes)
            try await fixture.work("talk") { ["echo": $0] }
            let done = try await answer
            #expect(done.status == 200 && done.json["status"] == "COMPLETED", "\(done.text)")
            #expect(done.json["output"] == ["echo": ["a": "ü"]] && done["content-type"] == "application/json")
        }
    }

    @Test func aJobThatTakesLongerIsShownAsItIs() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            // Less than the least counts as the least.
            let answer = try await client.send("POST", "/v2/talk/runsync?wait=1", #"{"input":1}"#.utf8Bytes)
            #expect(answer.status == 200 && answer.json["status"] == "IN_QUEUE")
            let id = try #require(answer.json["id"]?.string)
            async let end = client.send("GET", "/v2/talk/status-sync/\(id)?wait=90000")
            try await fixture.work("talk") { _ in "late" }
            let done = try await end
            #expect(done.json["status"] == "COMPLETED" && done.json["output"] == "late", "\(done.text)")
            let again = try await client.send("GET", "/v2/talk/status-sync/\(id)")
            #expect(again.json["output"] == "late")
        }
    }

    @Test(arguments: ["", "{}"])
    func cancellingTakesAnyBodyAndIsRepeatable(_ body: String) async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let waiting = try await client.run("talk", ["input": 1])
            let running = try await client.run("plain", ["input": 1])
            _ = try await fixture.claim("plain")
            for (endpoint, id) in [("talk", waiting), ("plain", running), ("talk", waiting)] {
                let answer = try await client.send("POST", "/v2/\(endpoint)/cancel/\(id)", body.utf8Bytes)
                #expect(answer.status == 200 && answer.json["id"]?.string == id, "\(answer.text)")
                #expect(answer.json["status"] == "CANCELLED" && answer.json["error"] == nil)
                #expect(try await client.status(endpoint, id)["status"] == "CANCELLED")
            }
            let done = try await client.run("talk", ["input": 2])
            try await fixture.work("talk") { $0 }
            let answer = try await client.send("POST", "/v2/talk/cancel/\(done)", body.utf8Bytes)
            #expect(answer.status == 200 && answer.json["status"] == "COMPLETED")
        }
    }

    @Test func onlyWhatFailedIsRetriedUnderItsId() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let id = try await client.run("talk", ["input": 1])
            let early = try await client.send("POST", "/v2/talk/retry/\(id)")
            #expect(early.status == 400 && early.json["error"]?.string?.contains("IN_QUEUE") == true)
            try await fixture.work("talk") { _ in throw JobError(.timeout, "too slow") }
            #expect(try await client.status("talk", id)["status"] == "TIMED_OUT")
            let retried = try await client.send("POST", "/v2/talk/retry/\(id)", "{}".utf8Bytes)
            #expect(retried.status == 200 && retried.json["status"] == "IN_QUEUE" && retried.json["id"]?.string == id)
            try await fixture.work("talk") { _ in "now" }
            #expect(try await client.status("talk", id)["output"] == "now")
            #expect(try await client.send("POST", "/v2/talk/retry/\(id)").status == 400)
        }
    }

    @Test(arguments: [0, 1, 1203])
    func purgingRemovesWhatWaitsForTheEndpoint(_ count: Int) async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let running = try await client.run("talk", ["input": 0])
            _ = try await fixture.claim("talk")
            let other = try await client.run("plain", ["input": 0])
            let service = try fixture.desk.choice.service(named: "talk")
            _ = try await fixture.desk.create(
                (0..<count).map { NewJob(service: service, input: .number(JSONNumber($0)), labels: JobLabels()) }
            )
            let answer = try await client.send("POST", "/v2/talk/purge-queue")
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.json == ["removed": .number(JSONNumber(count)), "status": "completed"])
            #expect(try await client.status("talk", running)["status"] == "IN_PROGRESS")
            #expect(try await client.status("plain", other)["status"] == "IN_QUEUE")
            #expect(try await fixture.parts.ledger.loads(of: ["talk"]).first?.waiting == 0)
        }
    }

    @Test func healthCountsJobsAndWorkers() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            for _ in 0..<4 { _ = try await client.run("talk", ["input": 0]) }
            try await fixture.work("talk") { $0 }
            try await fixture.work("talk") { _ in throw JobError(.handler, "no") }
            _ = try await fixture.claim("talk")
            let beats = [
                ("a", nil), ("w", nil), ("c", #"{"talk":[{"message":"m"}]}"#), ("d", #"{"plain":[{"message":"m"}]}"#),
            ]
            for (name, trouble) in beats {
                let beat = WorkerBeat(
                    worker: name,
                    name: name,
                    services: ["talk", "plain"],
                    slots: 1,
                    running: 0,
                    isDraining: false,
                    trouble: trouble.map { Array($0.utf8) }
                )
                _ = try await fixture.parts.ledger.beat(beat, leases: [])
            }
            let answer = try await client.send("GET", "/v2/talk/health")
            let jobs = answer.json["jobs"]
            #expect(answer.status == 200 && jobs?["completed"]?.int == 1 && jobs?["failed"]?.int == 1)
            #expect(jobs?["inProgress"]?.int == 1 && jobs?["inQueue"]?.int == 1 && jobs?["retried"]?.int == 0)
            let workers = answer.json["workers"]
            #expect(workers?["idle"]?.int == 2 && workers?["unhealthy"]?.int == 1 && workers?["throttled"]?.int == 0)
            #expect(workers?["running"]?.int == 1 && workers?["ready"]?.int == 2, "\(answer.text)")
            let idle = try await client.send("GET", "/v2/plain/health")
            #expect(idle.json["jobs"]?["completed"]?.int == 0 && idle.json["workers"]?["running"]?.int == 0)
            #expect(try await client.send("GET", "/v2/nobody/health").status == 404)
        }
    }
}

extension String {
    var utf8Bytes: [UInt8] { Array(utf8) }
}
