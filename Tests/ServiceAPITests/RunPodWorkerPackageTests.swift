// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Ledger
import Plumbing
import ResultStore
import Testing
import Workflow

@testable import ServiceAPI

/// Unmodified workers of the `runpod` package from PyPI, started with the environment that the documentation gives.
@Suite(
    .enabled(if: RunPodWorkerProcess.mustRun, "no Python with runpod (MALLA_TEST_PYTHON)"),
    .timeLimit(.minutes(1))
)
struct RunPodWorkerPackageTests {
    @Test func syncAndFailingHandlers() async throws {
        let fixture = try await RunPodWorkerFixture(tokens: ["key"])
        try await fixture.serve { site in
            let process = try site.start("w-sync", handler: "sync")
            let echo = try await fixture.submit(["wort": "grün"])
            let ended = try await fixture.end(echo)
            #expect(ended.output == ["echo": ["wort": "grün"], "worker": "w-sync"], "\(process.output)")
            var ids: [String: JobID] = [:]
            for kind in ["raise", "soft", "null", "none", "bytes"] {
                ids[kind] = try await fixture.submit(["kind": .string(kind)])
            }
            ids["job"] = try await fixture.submit(["kind": "job"]) { job in
                job.labels.webhook = "https://secret.example"
                job.labels.storage = ["bucketName": "b"]
            }
            func end(_ kind: String) async throws -> JobRecord { try await fixture.end(#require(ids[kind])) }
            #expect(try await end("raise").job.error == JobError(.handler, "ValueError: bad colour"))
            #expect(try await end("soft").job.error == JobError(.handler, "soft failure"))
            #expect(try await end("null").output?["done"] == true)
            let none = try await end("none")
            #expect(none.job.state == .succeeded && none.output == .null)
            let bytes = try await end("bytes").job
            #expect(bytes.state == .failed && bytes.error?.message.contains("JSON") == true)
            let seen = try await end("job").output
            #expect(seen?["s3Config"] == ["bucketName": "b"] && seen?["webhook"] == nil)
            #expect(seen?["id"]?.string == ids["job"]?.description)
        }
    }

    @Test func asyncHandlersRunAtOnceAndTellTheirProgress() async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            let process = try site.start("w-async", handler: "async")
            try await fixture.worker("w-async") { $0.beat.slots == 4 }
            var ids: [JobID] = []
            for number in 0..<4 {
                ids.append(try await fixture.submit(["n": .number(JSONNumber(number)), "sleep": 1]))
            }
            for id in ids {
                #expect(try await fixture.end(id).job.state == .succeeded, "\(process.output)")
                let events = try await fixture.events(id, count: 1)
                #expect(events == [HandlerEvent(.progress, Array(#"{"begun":1}"#.utf8))])
            }
            let ended = try await fixture.jobs(ids)
            let lastStart = try #require(ended.compactMap(\.startedAt).max())
            let firstEnd = try #require(ended.compactMap(\.finishedAt).min())
            #expect(lastStart < firstEnd, "they ran at once")
        }
    }

    @Test(.enabled(if: RunPodWorkerProcess.asksForStops, "the runpod package is older than 1.10"))
    func cancelStopsAnAsyncHandler() async throws {
        let fixture = try await RunPodWorkerFixture { $0.hold = .seconds(10) }
        try await fixture.serve { site in
            let process = try site.start("w-stop", handler: "async")
            let id = try await fixture.submit(["sleep": 1000])
            _ = try await fixture.events(id, count: 1)
            _ = try await fixture.desk.cancel(id)
            while !process.output.contains("Job stopped") { try await Task.sleep(for: .milliseconds(20)) }
            // It goes on as if nothing had been.
            #expect(try await fixture.end(try await fixture.submit(["n": 2])).output == ["echo": ["n": 2]])
            #expect(try await fixture.job(id).state == .cancelled)
            let slow = try await fixture.submit(["sleep": 1000]) { $0.timeout = .seconds(1) }
            #expect(try await fixture.end(slow).job.error?.category == .timeout)
            let stopped = { process.output.components(separatedBy: "Job stopped").count > 2 }
            while !stopped() { try await Task.sleep(for: .milliseconds(20)) }
        }
    }

    @Test func generatorsStream() async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            let process = try site.start("w-parts", handler: "generator")
            let id = try await fixture.submit(["count": 3])
            let record = try await fixture.end(id)
            #expect(record.output == [], "\(process.output)")
            let parts = (0..<3).map { HandlerEvent(.partial, Array(#"{"n":\#($0)}"#.utf8)) }
            #expect(try await fixture.events(id, count: 3) == parts)
            let failing = try await fixture.submit(["count": 3, "fail_at": 2])
            #expect(try await fixture.end(failing).job.error?.message.contains("no more") == true)
            #expect(try await fixture.events(failing, count: 2) == Array(parts.prefix(2)))
        }
    }

    @Test func aggregatesAreTheResult() async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            let process = try site.start("w-whole", handler: "aggregate")
            let id = try await fixture.submit(["count": 2])
            #expect(try await fixture.end(id).output == [["n": 0], ["n": 1]], "\(process.output)")
            #expect(try await fixture.events(id, count: 2).count == 2)
        }
    }

    @Test func aWorkerThatAskedToBeRefreshedGetsNoMore() async throws {
        let fixture = try await RunPodWorkerFixture()
        try await fixture.serve { site in
            let first = try site.start("pod", handler: "refreshing")
            let one = try #require(try await fixture.end(try await fixture.submit()).output?["pid"], "\(first.output)")
            try await fixture.worker("pod") { $0.beat.isDraining && $0.beat.trouble != nil }
            let next = try await fixture.submit()
            while !first.output.contains("Too many requests") { try await Task.sleep(for: .milliseconds(20)) }
            #expect(try await fixture.job(next).state == .waiting)
            // Its keeper starts it anew, under the same name.
            first.send(SIGKILL)
            let second = try site.start("pod", handler: "refreshing")
            let two = try await fixture.end(next).output?["pid"]
            #expect(two != nil && two != one, "\(second.output)")
        }
    }

    @Test func aWorkerThatLeavesAfterEachJobEndsSoon() async throws {
        let fixture = try await RunPodWorkerFixture { $0.hold = .seconds(2) }
        try await fixture.serve { site in
            let process = try site.start("w-leaving", handler: "leaving")
            #expect(try await fixture.end(try await fixture.submit()).job.state == .succeeded)
            let next = try await fixture.submit()
            try await process.end()
            #expect(try await fixture.job(next).attempt == 0, "it was not given what it would never run")
        }
    }

    @Test func theJobOfAKilledWorkerRunsElsewhere() async throws {
        let fixture = try await RunPodWorkerFixture { $0.lease = .seconds(2) }
        try await fixture.serve { site in
            let first = try site.start("w-1", handler: "blocking")
            let id = try await fixture.submit(["sleep": 4])
            _ = try await fixture.running(id, by: "w-1")
            let second = try site.start("w-2", handler: "blocking")
            try await fixture.worker("w-2") { _ in true }
            #expect(try await fixture.job(id).worker == "w-1", "a job that runs is left where it is")
            let start = ContinuousClock.now
            first.send(SIGKILL)
            _ = try await fixture.running(id, by: "w-2")
            #expect(ContinuousClock.now - start < .seconds(6))
            let record = try await fixture.end(id)
            #expect(record.output == "w-2" && record.job.orphaned == 1, "\(second.output)")
        }
    }

    /// Trap 4: what a worker is given after SIGTERM it never runs, and never says so.
    @Test func sigtermDuringAPollLosesNothing() async throws {
        let fixture = try await RunPodWorkerFixture {
            $0.lease = .seconds(1)
            $0.hold = .seconds(3)
        }
        try await fixture.serve { site in
            let first = try site.start("w-1", handler: "sync")
            // It has run one, and waits for the next.
            #expect(try await fixture.end(try await fixture.submit()).job.worker == "w-1")
            first.send(SIGTERM)
            while !first.output.contains("shutdown signal") { try await Task.sleep(for: .milliseconds(20)) }
            let id = try await fixture.submit()
            let second = try site.start("w-2", handler: "sync")
            // Mostly the first is given it and loses it; it may also just have made it.
            #expect(try await fixture.end(id).job.state == .succeeded, "\(first.output)\(second.output)")
            try await first.end()
            // Drained before SIGTERM, it is given nothing that it would lose.
            #expect(try await site.client.send("POST", "/v2/echo/drain/w-2").status == 200)
            second.send(SIGTERM)
            let third = try site.start("w-3", handler: "sync")
            let next = try await fixture.end(try await fixture.submit())
            #expect(next.job.worker == "w-3" && next.job.attempt == 1, "\(third.output)")
        }
    }
}

extension RunPodWorkerFixture {
    func jobs(_ ids: [JobID]) async throws -> [Job] {
        var jobs: [Job] = []
        for id in ids { jobs.append(try await job(id)) }
        return jobs
    }
}
