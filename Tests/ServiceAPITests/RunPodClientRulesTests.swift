// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Ledger
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// What RunPod's client calls refuse, what a submission's members become, and who sees a job.
@Suite(.timeLimit(.minutes(1))) struct RunPodClientRulesTests {
    @Test(
        arguments: [
            ("", nil), ("[]", nil), ("{", nil), ("{}", "/input"), (#"{"input":null}"#, "/input"),
            (#"{"input":1,"webhook":5}"#, "/webhook"), (#"{"input":1,"webhook":"ftp://x/"}"#, "/webhook"),
            (#"{"input":1,"webhook":"http://u:p@x/"}"#, "/webhook"), (#"{"input":1,"webhookV2":[]}"#, "/webhookV2"),
            (#"{"input":1,"policy":[]}"#, "/policy"),
            (#"{"input":1,"policy":{"ttl":9999}}"#, "/policy/ttl"),
            (#"{"input":1,"policy":{"ttl":604800001}}"#, "/policy/ttl"),
            (#"{"input":1,"policy":{"ttl":"1h"}}"#, "/policy/ttl"),
            (#"{"input":1,"policy":{"executionTimeout":4999}}"#, "/policy/executionTimeout"),
            (#"{"input":1,"policy":{"executionTimeout":6000.5}}"#, "/policy/executionTimeout"),
            (#"{"input":1,"policy":{"lowPriority":"yes"}}"#, "/policy/lowPriority"),
            (#"{"input":1,"s3Config":"x"}"#, "/s3Config"),
            (#"{"input":1,"s3Config":{"accessSecret":7}}"#, "/s3Config/accessSecret"),
        ] as [(String, String?)]
    )
    func aWrongSubmissionIsRefusedByField(_ body: String, _ field: String?) async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            for call in ["run", "runsync"] {
                let answer = try await client.send("POST", "/v2/talk/\(call)", body.utf8Bytes)
                #expect(answer.status == 400 && answer.json["error"]?.string?.isEmpty == false, "\(answer.text)")
                #expect(answer.field == field && answer["content-type"] == "application/json")
            }
            #expect(try await fixture.parts.ledger.jobs(JobQuery(limit: 1)).isEmpty)
        }
    }

    @Test func aSubmissionBecomesAJobWithItsPolicy() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let body: JSON = [
                "input": 1, "webhook": "https://receiver.example/hook?a=b",
                "policy": ["executionTimeout": 5000, "ttl": 10_000, "lowPriority": true],
                "s3Config": ["accessId": "id", "accessSecret": "top secret", "bucketName": "b", "other": [1]],
            ]
            let id = try await client.run("talk", body)
            let job = try await fixture.job(id)
            #expect(job.labels?.webhook == "https://receiver.example/hook?a=b" && job.labels?.priority == -1)
            #expect(job.timeout == .seconds(5) && job.labels?.timeToLive == .seconds(10) && job.maxAttempts == 1)
            let life = try #require(job.deadline) - job.createdAt
            #expect(abs(life.inSeconds - 10) < 1)
            #expect(job.labels?.storage == body["s3Config"])
            #expect(job.labels?.taskType == "talking" && job.labels?.modelProfile == "small")

            // A usual one comes first.
            let usual = try await fixture.job(try await client.run("talk", ["input": 2, "s3Config": .null]))
            #expect(
                usual.rank < job.rank && usual.timeout == .seconds(600) && usual.labels?.timeToLive == .seconds(86_400)
            )

            // Who may see the job does not see the secrets.
            for path in ["/api/v1/jobs/\(id)", "/api/v1/jobs", "/v2/talk/status/\(id)"] {
                let shown = try await client.send("GET", path)
                #expect(shown.status == 200 && shown.text.contains(id), "\(shown.text)")
                #expect(!shown.text.contains("top secret") && !shown.text.contains("accessSecret"))
            }
            #expect(fixture.logs.all.allSatisfy { !$0.contains("top secret") })
        }
    }

    @Test func anEndIsPostedWithStatusAndInput() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let id = try await client.run("talk", ["input": ["n": 1], "webhook": "http://receiver.example/"])
            try await fixture.work("talk") { _ in ["ok": true] }
            let due = try await fixture.parts.ledger.callbacks(of: try #require(MeshID(id)))
            let callback = try #require(due.first?.callback)
            let body = try JSON(parsing: callback.body)
            #expect(callback.url == "http://receiver.example/" && callback.app == CallbackRecord.directApp)
            #expect(body["id"]?.string == id && body["status"] == "COMPLETED" && body["output"] == ["ok": true])
            #expect(body["input"] == ["n": 1] && due.count == 1)
        }
    }

    @Test func aWebhookIntoThePrivateNetworkIsRefused() async throws {
        let fixture = try await RunPodClientFixture(webhooks: .publicOnly(allowing: []))
        try await fixture.serve { client in
            for url in ["http://127.0.0.1/x", "http://169.254.169.254/", "http://localhost:80/"] {
                let body: JSON = ["input": 1, "webhook": .string(url)]
                let answer = try await client.send("POST", "/v2/talk/run", body.bytes)
                #expect(answer.status == 400 && answer.field == "/webhook", "\(answer.text)")
            }
            _ = try await client.run("talk", ["input": 1, "webhook": ""])
        }
    }

    @Test func tooLargeBodiesAreRefused() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let large: JSON = ["input": .string(String(repeating: "x", count: 10 << 20))]
            let run = try await client.send("POST", "/v2/talk/run", large.bytes)
            #expect(run.status == 413 && run.json["error"]?.string != nil, "\(run.text.prefix(200))")
            let sync = try await client.send("POST", "/v2/talk/runsync?wait=1000", large.bytes)
            #expect(sync.status == 200)
            let larger: JSON = ["input": .string(String(repeating: "x", count: 20 << 20))]
            #expect(try await client.send("POST", "/v2/talk/runsync", larger.bytes).status == 413)
        }
    }

    @Test func aFullBacklogIsA429() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            for _ in 0..<2 { _ = try await client.run("narrow", ["input": 1]) }
            let answer = try await client.send("POST", "/v2/narrow/run", #"{"input":1}"#.utf8Bytes)
            #expect(answer.status == 429 && answer["retry-after"] != nil)
            #expect(answer.json["error"]?.string?.contains("backlog") == true)
        }
    }

    @Test func anOperationIsLimitedByEndpoint() async throws {
        let fixture = try await RunPodClientFixture(limits: "endpoints: { purge-queue: 2, status: 3 }\n")
        try await fixture.serve { client in
            let id = try await client.run("talk", ["input": 1])
            // The window may end in between, so it may take one more time as many.
            for (method, path, limit) in [("GET", "status/\(id)", 3), ("POST", "purge-queue", 2)] {
                var answers = [try await client.send(method, "/v2/talk/\(path)")]
                while answers.last?.status == 200, answers.count <= 2 * limit {
                    answers.append(try await client.send(method, "/v2/talk/\(path)"))
                }
                let last = try #require(answers.last)
                #expect(last.status == 429 && answers.count > limit, "\(answers.map(\.status))")
                #expect(last["retry-after"] != nil && last.json["error"]?.string != nil)
            }
            #expect(try await client.send("POST", "/v2/plain/purge-queue").status == 200)
        }
    }

    @Test func tokensAreTakenRawAndAsBearer() async throws {
        let fixture = try await RunPodClientFixture(tokens: ["key"])
        try await fixture.serve { client in
            let body = #"{"input":1}"#.utf8Bytes
            for authorization in ["key", "Bearer key", "bearer key"] {
                let answer = try await client.send("POST", "/v2/talk/run", body, authorization: authorization)
                #expect(answer.status == 200, "\(answer.text)")
            }
            for authorization in [nil, "", "Bearer", "Bearer other"] {
                for (method, path) in [
                    ("POST", "run"), ("POST", "runsync"), ("GET", "status/\(MeshID())"), ("GET", "health"),
                    ("POST", "purge-queue"), ("GET", "openai/v1/models"),
                ] {
                    let answer = try await client.send(
                        method,
                        "/v2/talk/\(path)",
                        method == "POST" ? body : nil,
                        authorization: authorization
                    )
                    #expect(answer.status == 401 && answer.json["error"] != nil, "\(path): \(answer.text)")
                }
            }
        }
    }

    @Test func whatIsNotThereIsA404InWords() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let endpoint = try await client.send("POST", "/v2/nobody/run", #"{"input":1}"#.utf8Bytes)
            #expect(endpoint.status == 404 && endpoint.json["error"]?.string?.contains("plain, talk") == true)
            for path in ["nobody/status/x", "talk/status/x", "talk/status/\(MeshID())", "talk/stream/x"] {
                let answer = try await client.send("GET", "/v2/\(path)")
                #expect(answer.status == 404 && answer.json["error"]?.string != nil, "\(answer.text)")
            }
            for path in ["talk/cancel/\(MeshID())", "talk/retry/\(MeshID())", "nobody/purge-queue"] {
                #expect(try await client.send("POST", "/v2/\(path)").status == 404)
            }
            let method = try await client.send("GET", "/v2/talk/run")
            #expect(method.status == 405 && method.json["error"] != nil)
            let wait = try await client.send("POST", "/v2/talk/runsync?wait=soon", #"{"input":1}"#.utf8Bytes)
            #expect(wait.status == 400 && wait.field == "wait")
        }
    }

    @Test func afterItsTimeToLiveAJobIsGone() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            var labels = JobLabels()
            labels.timeToLive = .seconds(10)
            let service = try fixture.desk.choice.service(named: "talk")
            let new = NewJob(service: service, input: 1, labels: labels, deadline: .now - .milliseconds(1))
            let id = try #require(try await fixture.desk.create([new]).first).job.id
            for (method, call) in [
                ("GET", "status"), ("GET", "status-sync"), ("GET", "stream"), ("POST", "cancel"), ("POST", "retry"),
            ] {
                let answer = try await client.send(method, "/v2/talk/\(call)/\(id)")
                #expect(
                    answer.status == 404 && answer.json["error"]?.string?.contains("time to live") == true,
                    "\(call)"
                )
            }
            // The job contract still tells what became of it.
            #expect(try await client.send("GET", "/api/v1/jobs/\(id)").status == 200)
        }
    }

    @Test func jobsOfTheOtherDialectAreSeenAndControlled() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let body: JSON = ["task_type": "talking", "input": ["a": 1]]
            let created = try await client.send("POST", "/api/v1/jobs", body.bytes)
            let id = try #require(created.json["id"]?.string, "\(created.text)")
            #expect(try await client.status("talk", id)["status"] == "IN_QUEUE")
            #expect(try await client.send("GET", "/v2/plain/status/\(id)").status == 404)
            #expect(try await client.send("POST", "/v2/talk/cancel/\(id)").json["status"] == "CANCELLED")
            let shown = try await client.send("GET", "/api/v1/jobs/\(id)")
            #expect(shown.json["status"] == "cancelled")

            let other = try await client.run("talk", ["input": 1])
            let found = try await client.send("GET", "/api/v1/jobs?task_type=talking&model_profile=small")
            #expect(found.json["jobs"]?.array?.compactMap { $0["id"]?.string }.contains(other) == true, "\(found.text)")
            _ = try await client.send("POST", "/api/v1/jobs/\(other)/cancel")
            #expect(try await client.status("talk", other)["status"] == "CANCELLED")
        }
    }
}
