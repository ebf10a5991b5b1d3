// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import MallaTestKit
import Plumbing
import ResultStore
import Testing
import Workflow

@testable import ServiceAPI

/// The traps 6 to 9 of the RunPod contract, section 0, and what else its section 2 asks for.
@Suite(.timeLimit(.minutes(1))) struct RunPodWorkerCallTests {
    // MARK: 6: results that vanish

    @Test func aResultIsNeverRefusedWithA4xx() async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            let id = try await fixture.submit()
            let socket = try site.connect()
            #expect(try await socket.take("w").jobs == [id])
            // Twice (503 then 200 sends it twice), too late, of nobody, of no job at all.
            for _ in 0..<2 { #expect(try await socket.post("job-done", "w", id, #"{"output":1}"#).status == 200) }
            #expect(try await socket.post("job-done", "w", id, #"{"error":"late"}"#).status == 200)
            #expect(try await socket.post("job-done", "other", id, #"{"output":2}"#).status == 200)
            #expect(try await socket.post("job-done", "w", MeshID(), #"{"output":2}"#).status == 200)
            let record = try await fixture.end(id)
            #expect(record.job.state == .succeeded && record.output == 1)
            #expect(try await site.client.send("POST", "/v2/echo/job-done/w/none?a=1", Array("{}".utf8)).status == 200)
        }
    }

    @Test func aResultThatDoesNotFitFailsItsAttempt() async throws {
        let fixture = try await RunPodWorkerFixture(output: ["type": "object"])
        try await fixture.serve { site in
            let ids = [try await fixture.submit(), try await fixture.submit(), try await fixture.submit()]
            let socket = try site.connect()
            #expect(Set(try await socket.take("w", batch: 3).jobs) == Set(ids))
            #expect(try await socket.post("job-done", "w", ids[0], #"{"output":"text"}"#).status == 200)
            let deep = String(repeating: "[", count: 101) + String(repeating: "]", count: 101)
            #expect(try await socket.post("job-done", "w", ids[1], #"{"output":{"a":\#(deep)}}"#).status == 200)
            let large = String(repeating: "x", count: Completion.maxResultSize)
            #expect(try await socket.post("job-done", "w", ids[2], #"{"output":{"a":"\#(large)"}}"#).status == 200)
            let huge = String(repeating: "x", count: Completion.maxResultSize + (128 << 10))
            #expect(try await socket.post("job-done", "w", ids[2], #"{"output":{"a":"\#(huge)"}}"#).status == 200)
            for (id, words) in zip(ids, ["does not fit", "nests deeper", "bytes"]) {
                let job = try await fixture.end(id).job
                #expect(job.state == .failed && job.error?.message.contains(words) == true, "\(job.error as Any)")
                #expect(job.error?.category == .handler)
            }
        }
    }

    @Test func aResultIsAskedForAgainWhileTheLedgerIsAway() async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            let id = try await fixture.submit()
            let socket = try site.connect()
            #expect(try await socket.take("w").jobs == [id])
            await fixture.ledger.close()
            #expect(try await socket.post("job-done", "w", id, #"{"output":1}"#).status == 503)
            // Only 429 makes a worker wait before it asks again.
            #expect(try await socket.take("w").status == 429)
        }
    }

    /// The package never posts what JSON can't hold, and goes on as if nothing had been.
    @Test func aResultThatNeverCameFailsItsJobWhenTheWorkerIsIdle() async throws {
        let fixture = try await RunPodWorkerFixture { $0.hold = .milliseconds(200) }
        try await fixture.serve { site in
            let id = try await fixture.submit()
            let socket = try site.connect()
            #expect(try await socket.take("w", isIdle: true).jobs == [id])
            #expect(try await socket.take("w", isIdle: true, last: id).status == 204)
            let job = try await fixture.end(id).job
            #expect(job.state == .failed && job.error?.message.contains("JSON") == true)
        }
    }

    @Test func theJobsOfAFormerProcessRunOutOfTime() async throws {
        let fixture = try await RunPodWorkerFixture { $0.lease = .seconds(1) }
        try await fixture.serve { site in
            let id = try await fixture.submit()
            #expect(try await site.connect().take("w", isIdle: true).jobs == [id])
            // It was restarted: it is idle, and names no job as its last.
            let socket = try site.connect()
            var given = try await socket.take("w", isIdle: true)
            while given.status == 204 { given = try await socket.take("w", isIdle: true) }
            #expect(given.jobs == [id])
            #expect(try await fixture.job(id).orphaned == 1)
        }
    }

    // MARK: 7: the cadence

    @Test func aCallIsHeldAndThenAnswered204() async throws {
        let fixture = try await RunPodWorkerFixture { $0.hold = .milliseconds(400) }
        try await fixture.serve { site in
            let socket = try site.connect()
            for send in [{ try socket.sendTake("w") }, { try socket.sendStop("w") }] {
                let start = ContinuousClock.now
                try send()
                let answer = try await socket.answer()
                #expect(answer.status == 204 && answer.body.isEmpty)
                #expect(ContinuousClock.now - start > .milliseconds(350))
            }
            // A wrong endpoint must not make its worker spin either.
            let start = ContinuousClock.now
            try socket.sendGet("/v2/none/job-take/w?gpu=X&job_in_progress=0")
            #expect(try await socket.answer().status == 404)
            #expect(ContinuousClock.now - start > .milliseconds(350))
        }
    }

    @Test func aHeldCallGetsAJobAtOnce() async throws {
        let fixture = try await RunPodWorkerFixture {
            $0.hold = .seconds(20)
            $0.tick = .seconds(20)
        }
        try await fixture.serve { site in
            let socket = try site.connect()
            try socket.sendTake("w")
            try await fixture.worker("w") { _ in true }
            let id = try await fixture.submit(["n": 1]) { job in
                job.labels.webhook = "https://secret.example/hook"
                job.labels.storage = ["bucketName": "b"]
            }
            let start = ContinuousClock.now
            let answer = try await socket.answer()
            #expect(ContinuousClock.now - start < .seconds(5))
            #expect(answer.json == ["id": .string(id.description), "input": ["n": 1], "s3Config": ["bucketName": "b"]])
            #expect(answer.head.contains("content-type: application/json"))
        }
    }

    // MARK: 8: stops

    @Test func aCancelledJobIsStoppedAtOnce() async throws {
        let fixture = try await RunPodWorkerFixture { $0.hold = .seconds(20) }
        try await fixture.serve { site in
            let id = try await fixture.submit()
            let socket = try site.connect()
            #expect(try await socket.take("w").jobs == [id])
            try socket.sendStop("w")
            try await fixture.worker("w") { $0.beat.running == 1 }
            let start = ContinuousClock.now
            _ = try await fixture.desk.cancel(id)
            #expect(try await socket.answer().json == ["jobsToStop": [.string(id.description)]])
            #expect(ContinuousClock.now - start < .seconds(1))
            #expect(try await socket.post("job-done", "w", id, #"{"output":1}"#).status == 200)
            #expect(try await fixture.end(id).job.state == .cancelled)
        }
    }

    @Test func aJobThatTakesTooLongIsStoppedAndToldOnce() async throws {
        let fixture = try await RunPodWorkerFixture { $0.hold = .seconds(5) }
        try await fixture.serve { site in
            let id = try await fixture.submit { $0.timeout = .milliseconds(300) }
            let socket = try site.connect()
            #expect(try await socket.take("w").jobs == [id])
            try socket.sendStop("w")
            #expect(try await socket.answer().json == ["jobsToStop": [.string(id.description)]])
            let job = try await fixture.end(id).job
            #expect(job.state == .failed && job.error?.category == .timeout)
        }
        let quiet = try await RunPodWorkerFixture { $0.hold = .milliseconds(300) }
        try await quiet.serve { site in
            let id = try await quiet.submit()
            let socket = try site.connect()
            #expect(try await socket.take("w").jobs == [id])
            #expect(try await socket.post("job-done", "w", id, #"{"output":1}"#).status == 200)
            try socket.sendStop("w")
            #expect(try await socket.answer().status == 204, "what it has handed in is not to be stopped")
        }
    }

    // MARK: 9: batches

    @Test func aBatchIsAnArrayOfAtMostThatMany() async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            var ids: [JobID] = []
            for _ in 0..<5 { ids.append(try await fixture.submit()) }
            let socket = try site.connect()
            let three = try await socket.take("w", batch: 3)
            #expect(three.json.array?.count == 3)
            let rest = try await socket.take("w", batch: 9)
            #expect(rest.json.array?.count == 2 && Set(three.jobs + rest.jobs) == Set(ids))
            try await fixture.worker("w") { $0.beat.running == 5 && $0.beat.services == ["echo"] }
        }
    }

    // MARK: Jobs of tasks

    @Test func theJobOfATaskIsReportedToItsApp() async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            var job = Job(id: MeshID(), app: "shop", service: "echo", createdAt: .now)
            job.maxAttempts = 1
            try await fixture.ledger.create([JobRecord(job: job, input: Array(#"{"n":1}"#.utf8))])
            let id = job.id
            let queue = QueueName.completions(app: "shop")
            try await fixture.parts.broker.declare(queue)
            let deliveries = BrokerDeliveries()
            let subscription = try await fixture.parts.broker.consume(queue, prefetch: 10) { deliveries.take($0) }
            let socket = try site.connect()
            #expect(try await socket.take("w").jobs == [id])
            let lease = try await fixture.job(id).lease
            async let status = socket.post("job-done", "w", id, #"{"output":{"a":1}}"#).status
            let delivery = try #require(try await deliveries.wait(for: 1).first)
            let completion = try Completion(body: delivery.body)
            #expect(completion.job == id && completion.lease == lease && completion.failure == nil)
            #expect(completion.result == Array(#"{"a":1}"#.utf8))
            // As the App API does.
            try await fixture.desk.settle([Settlement(job: id, event: completion.event, result: completion.result)])
            #expect(try await status == 200)
            #expect(try await fixture.job(id).state == .succeeded)
            await subscription.cancel()
        }
    }

    // MARK: Parts, progress, restarts

    @Test func partsAndProgressAreToldInOrderAndNotAfterTheEnd() async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            let id = try await fixture.submit()
            let socket = try site.connect()
            #expect(try await socket.take("w").jobs == [id])
            let chunk = String(repeating: "y", count: (1 << 20) + 1)
            #expect(try await socket.post("job-stream", "w", id, #"{"output":"\#(chunk)"}"#).status == 413)
            for number in 0..<3 {
                #expect(try await socket.post("job-stream", "w", id, #"{"output":{"n":\#(number)}}"#).status == 200)
            }
            let progress = #"{"status":"IN_PROGRESS","output":"half"}"#
            #expect(try await socket.post("job-done", "w", id, progress).status == 200)
            #expect(try await fixture.job(id).state == .running)
            let events = try await fixture.events(id, count: 4)
            #expect(events.map(\.kind) == [.partial, .partial, .partial, .progress])
            #expect(
                events.map { String(decoding: $0.json, as: UTF8.self) }
                    == [#"{"n":0}"#, #"{"n":1}"#, #"{"n":2}"#, #""half""#]
            )
            #expect(try await socket.post("job-done", "w", id, #"{"output":[]}"#).status == 200)
            #expect(try await socket.post("job-done", "w", id, progress).status == 200)
            let record = try await fixture.end(id)
            #expect(record.job.state == .succeeded && record.output == [])
            #expect(try await fixture.events(id, count: 4).count == 4)
        }
    }

    @Test func aWorkerThatAskedForItsEndGetsNothingUntilItIsAnotherProcess() async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            let id = try await fixture.submit()
            let socket = try site.connect()
            #expect(try await socket.take("w").jobs == [id])
            let body = #"{"output":{"pid":1},"stopPod":true}"#
            #expect(try await socket.post("job-done", "w", id, body).status == 200)
            #expect(try await fixture.end(id).output == ["pid": 1])
            let next = try await fixture.submit()
            #expect(try await socket.take("w", isIdle: true, last: id).status == 429)
            try await fixture.worker("w") { record in
                let trouble = record.beat.trouble.map { String(decoding: $0, as: UTF8.self) } ?? ""
                return trouble.contains("restart this worker")
            }
            #expect(try await site.connect().take("w", isIdle: true).jobs == [next])
        }
    }

    @Test func aFailedCheckIsShown() async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            let path = "/v2/echo/ping/w?gpu=X&status=unhealthy&check=memory&reason=too%20little"
            #expect(try await site.client.send("GET", path).status == 200)
            try await fixture.worker("w") { record in
                let trouble = record.beat.trouble.map { String(decoding: $0, as: UTF8.self) } ?? ""
                return trouble.contains("memory: too little")
            }
        }
    }
}
