// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import MallaTestKit
import Plumbing
import Synchronization
import Testing
import Workflow

@testable import ServiceAPI

/// RunPod workers while something is away or stops: the ledger, an app's API, another Service API, this one.
@Suite(.timeLimit(.minutes(1))) struct RunPodWorkerOutageTests {
    /// The package drops a result that was refused three times.
    @Test func aResultThatCouldNotBeRecordedIsNoFailureOfTheHandler() async throws {
        let fixture = try await RunPodWorkerFixture {
            $0.hold = .milliseconds(300)
            $0.lease = .seconds(1)
        }
        try await fixture.serve { site in
            var job = Job(id: MeshID(), app: "shop", service: "echo", createdAt: .now)
            job.maxAttempts = 1
            try await fixture.ledger.create([JobRecord(job: job, input: Array("{}".utf8))])
            let socket = try site.connect()
            #expect(try await socket.take("w", isIdle: true).jobs == [job.id])
            // The broker refuses, as the ledger would.
            await fixture.parts.broker.close()
            for _ in 0..<3 { #expect(try await socket.post("job-done", "w", job.id, #"{"output":1}"#).status == 503) }
            // Its lease runs out, and it is run again.
            var given = try await socket.take("w", isIdle: true, last: job.id)
            while given.status == 204 { given = try await socket.take("w", isIdle: true, last: job.id) }
            #expect(given.jobs == [job.id])
            let now = try await fixture.job(job.id)
            #expect(now.orphaned == 1 && now.error == nil)
        }
    }

    /// Its app's API is away for longer than the worker is kept waiting.
    @Test func aReportedResultIsNotOvertakenByAFailure() async throws {
        let fixture = try await RunPodWorkerFixture { $0.hold = .milliseconds(300) }
        try await fixture.serve { site in
            var job = Job(id: MeshID(), app: "shop", service: "echo", createdAt: .now)
            job.maxAttempts = 1
            try await fixture.ledger.create([JobRecord(job: job, input: Array("{}".utf8))])
            let id = job.id
            let queue = QueueName.completions(app: "shop")
            try await fixture.parts.broker.declare(queue)
            let deliveries = BrokerDeliveries()
            let subscription = try await fixture.parts.broker.consume(queue, prefetch: 10) { deliveries.take($0) }
            let socket = try site.connect()
            #expect(try await socket.take("w", isIdle: true).jobs == [id])
            #expect(try await socket.post("job-done", "w", id, #"{"output":{"a":1}}"#).status == 200)
            for _ in 0..<3 { #expect(try await socket.take("w", isIdle: true, last: id).status == 204) }
            let until = try #require(try await fixture.job(id).leaseUntil)
            #expect(
                until > .now + .seconds(500),
                "the worker's calls must not shorten the lease that waits for the app"
            )
            let told = try await deliveries.wait(for: 1).map { try Completion(body: $0.body) }
            #expect(told.count == 1 && told.first?.failure == nil, "\(told)")
            #expect(try await fixture.job(id).state == .running)
            await subscription.cancel()
        }
    }

    /// Another API gave the job, and none tells this one of its end.
    @Test func aJobThatAnotherAPIGaveIsStoppedToo() async throws {
        let fixture = try await RunPodWorkerFixture { $0.hold = .seconds(20) }
        try await fixture.serve { site in
            let socket = try site.connect()
            try socket.sendStop("w")
            try await fixture.worker("w") { _ in true }
            let id = try await fixture.submit()
            let given = try await fixture.desk.claim(services: ["echo"], worker: "w", limit: 1, lease: .seconds(60))
            #expect(given.map(\.job.id) == [id])
            // Seen by a look of the held call.
            try await fixture.worker("w") { $0.beat.running == 1 }
            try await fixture.desk.settle([Settlement(job: id, event: .cancelled)])
            #expect(try await socket.answer().json == ["jobsToStop": [.string(id.description)]])
        }
    }

    // MARK: The server stops

    @Test func heldCallsEndWhenTheServerStops() async throws {
        let fixture = try await RunPodWorkerFixture {
            $0.hold = .seconds(30)
            $0.tick = .seconds(30)
        }
        let calls = Mutex<[Task<Int, any Error>]>([])
        let start = Mutex(ContinuousClock.now)
        try await fixture.serve { site in
            let sockets = [try site.connect(), try site.connect()]
            try sockets[0].sendTake("taker")
            try sockets[1].sendStop("stopper")
            for name in ["taker", "stopper"] { try await fixture.worker(name) { _ in true } }
            calls.withLock { $0 = sockets.map { socket in Task { try await socket.answer().status } } }
            start.withLock { $0 = .now }
        }
        #expect(start.withLock { ContinuousClock.now - $0 } < .seconds(2))
        for call in calls.withLock({ $0 }) { #expect(try await call.value == 204) }
    }
}
