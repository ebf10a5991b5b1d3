// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import ResultStore
import Testing
import Workflow

@testable import ServiceAPI

/// The traps 1 to 5 of the RunPod contract, section 0, over sockets that the tests hold in their own hands.
@Suite(.timeLimit(.minutes(1))) struct RunPodWorkerTrapTests {
    // MARK: 1: JSON that says it is a form

    @Test(arguments: [
        (#"{"output":{"wort":"grün"}}"#, #"{"wort":"grün"}"#), (#"{"output":null}"#, "null"), ("{}", "null"),
        (#"{"output":{"a":1},"error":null}"#, #"{"a":1}"#), (#"{"output":[]}"#, "[]"),
    ])
    func resultsAreReadWhateverTheirContentType(_ body: String, _ result: String) async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            let id = try await fixture.submit()
            let socket = try site.connect()
            #expect(try await socket.take("w").jobs == [id])
            #expect(try await socket.post("job-done", "w", id, body).status == 200)
            let record = try await fixture.end(id)
            #expect(record.job.state == .succeeded && record.result == Array(result.utf8))
        }
    }

    @Test(arguments: [
        (#"{"output":{"detail":1},"error":"soft failure"}"#, "soft failure"),
        (
            #"{"error":"{\"error_type\": \"<class 'ValueError'>\", \"error_message\": \"bad\", \"hostname\": \"h\"}"}"#,
            "ValueError: bad"
        ),
        (#"{"error":{"code":7}}"#, #"{"code":7}"#), ("", "is not JSON"), ("output=1", "is not JSON"),
        (#"{"output":NaN}"#, "is not JSON"), ("[1]", "no JSON object"),
    ])
    func failuresAreTold(_ body: String, _ message: String) async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            let id = try await fixture.submit()
            let socket = try site.connect()
            #expect(try await socket.take("w").jobs == [id])
            #expect(try await socket.post("job-done", "w", id, body).status == 200)
            let job = try await fixture.end(id).job
            #expect(job.state == .failed && job.error?.message.contains(message) == true, "\(job.error as Any)")
        }
    }

    // MARK: 2: the raw key

    @Test func theKeyComesWithAndWithoutBearer() async throws {
        let fixture = try await RunPodWorkerFixture(tokens: ["key"]) { $0.hold = .milliseconds(50) }
        try await fixture.serve { site in
            for (authorization, status) in [("key", 204), ("Bearer key", 204), ("other", 401)] {
                let socket = try site.connect()
                try socket.sendTake("w", authorization: authorization)
                #expect(try await socket.answer().status == status)
            }
        }
    }

    // MARK: 3: what the package appends blindly

    @Test func addressesWithoutAQuestionMarkWork() async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            let ids = [try await fixture.submit(), try await fixture.submit()]
            let socket = try site.connect()
            try socket.sendGet("/v2/echo/job-take-batch/w&batch_size=2&job_in_progress=0")
            #expect(Set(try await socket.answer().jobs) == Set(ids))
            try socket.send(
                "POST /v2/echo/job-done/w/\(ids[0])&isStream=false HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n"
                    + #"{"output":1}"#
            )
            #expect(try await socket.answer().status == 200)
            let record = try await fixture.end(ids[0])
            #expect(record.job.state == .succeeded && record.job.worker == "w")
        }
    }

    // MARK: 4: jobs for nobody

    @Test func aPollWhoseSocketDiedTakesNothing() async throws {
        let fixture = try await RunPodWorkerFixture { $0.hold = .seconds(20) }
        try await fixture.serve { site in
            let (dead, live) = (try site.connect(), try site.connect())
            try dead.sendTake("dead")
            try await fixture.worker("dead") { _ in true }
            dead.close()
            try live.sendTake("live")
            try await fixture.worker("live") { _ in true }
            let start = ContinuousClock.now
            let ids = [try await fixture.submit()]
            #expect(try await live.answer().jobs == ids)
            #expect(ContinuousClock.now - start < .seconds(2))
            #expect(try await fixture.job(ids[0]).attempt == 1)
        }
    }

    @Test func jobsWhoseAnswerIsNotSentGoBackAtOnce() async throws {
        let fixture = try await RunPodWorkerFixture()
        let id = try await fixture.submit()
        let records = try await fixture.desk.claim(services: ["echo"], worker: "w", limit: 1)
        let probes = records.compactMap(\.probe)
        let desk = fixture.desk
        _ = AnswerDelivery { try? await desk.handBack(probes) }
        while try await fixture.job(id).state != .waiting { try await Task.sleep(for: .milliseconds(5)) }
        let sent = AnswerDelivery { Issue.record("what was sent must not go back") }
        sent.succeed()
        try await fixture.serve { _ in }
    }

    @Test func aDrainedWorkerGetsNothingUntilAnotherProcessTakesItsPlace() async throws {
        let fixture = try await RunPodWorkerFixture { $0.hold = .seconds(20) }
        try await fixture.serve { site in
            let (first, spare) = (try site.connect(), try site.connect())
            try first.sendTake("w")
            try await fixture.worker("w") { !$0.beat.isDraining }
            let unknown = try await site.client.send("POST", "/v2/echo/drain/nobody")
            #expect(unknown.status == 404 && unknown.json["error"]?.string?.contains("nobody") == true)
            #expect(try await fixture.desk.ledger.workers().count == 1, "nobody is no worker now")
            let answer = try await site.client.send("POST", "/v2/echo/drain/w")
            #expect(answer.status == 200 && answer.json["draining"] == true)
            // The call that is held is over before SIGTERM comes, with no job in it.
            #expect(try await first.answer().status == 204)
            let id = try await fixture.submit()
            let refused = try await first.take("w")
            #expect(refused.status == 429 && refused.head.contains("retry-after: 5"))
            try await fixture.worker("w") { $0.beat.isDraining && $0.beat.isRemote }
            // Still the same process: one of its connections is open.
            #expect(try await spare.take("w").status == 429)
            first.close()
            spare.close()
            // A pod of the same name comes up; that the old one has gone is seen a moment later.
            var next = try site.connect()
            var given = try await next.take("w")
            while given.status == 429 {
                next.close()
                next = try site.connect()
                given = try await next.take("w")
            }
            #expect(given.jobs == [id])
        }
    }

    // MARK: 5: pings of a dead worker

    @Test func pingsAloneKeepNoJobOfAKilledWorker() async throws {
        let fixture = try await RunPodWorkerFixture { $0.lease = .seconds(1) }
        try await fixture.serve { site in
            let id = try await fixture.submit()
            let (taker, stopper, pinger) = (try site.connect(), try site.connect(), try site.connect())
            #expect(try await taker.take("w").jobs == [id])
            try stopper.sendStop("w")
            let pings = Task {
                while !Task.isCancelled {
                    try pinger.sendGet("/v2/echo/ping/w?gpu=X&job_id=\(id)&runpod_version=1.12.0")
                    _ = try await pinger.answer()
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
            // They keep it while its own process is there.
            try await fixture.worker("w") { $0.beat.running == 1 }
            #expect(try await fixture.job(id).orphaned == 0)
            let start = ContinuousClock.now
            taker.close()
            stopper.close()
            let other = try site.connect()
            var given = try await other.take("other")
            while given.status == 204 { given = try await other.take("other") }
            #expect(given.jobs == [id])
            #expect(ContinuousClock.now - start > .milliseconds(500))
            pings.cancel()
            let job = try await fixture.job(id)
            #expect(job.orphaned == 1 && job.worker == "other")
        }
    }

    /// A handler that blocks its process answers no call, and its pings are all there is.
    @Test func pingsKeepTheJobOfABlockedWorker() async throws {
        let fixture = try await RunPodWorkerFixture { $0.lease = .milliseconds(600) }
        try await fixture.serve { site in
            let id = try await fixture.submit()
            let (taker, pinger) = (try site.connect(), try site.connect())
            #expect(try await taker.take("w").jobs == [id])
            let until = ContinuousClock.now + .seconds(2.5)
            while ContinuousClock.now < until {
                try pinger.sendGet("/v2/echo/ping/w?gpu=X&job_id=\(id)&runpod_version=1.12.0")
                #expect(try await pinger.answer().status == 200)
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(try await taker.post("job-done", "w", id, #"{"output":1}"#).status == 200)
            let job = try await fixture.end(id).job
            #expect(job.state == .succeeded && job.attempt == 1 && job.orphaned == 0)
        }
    }
}
