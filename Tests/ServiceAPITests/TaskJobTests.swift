// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Callbacks
import Completions
import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// Jobs of tasks, claimed over HTTP: only their app advances their runs.
@Suite(.timeLimit(.minutes(1))) struct TaskJobTests {
    @Test func aResultGoesThroughTheAppsCompletions() async throws {
        let fixture = try await ServiceFixture()
        let work = try await LedgerFixture(ledger: fixture.ledger, advanceClock: nil)
        let task = try await work.accept(work.chain, payload: #"{"n":3}"#)
        try await fixture.withApp(work) {
            try await fixture.serve { client in
                for (stage, result) in [("alpha", JSON.number(JSONNumber(1))), ("beta", ["out": 2])] {
                    let job = try #require(
                        try await client.claim {
                            $0["task_types"] = [.string(stage)]
                            $0["wait_seconds"] = 20
                        }.first
                    )
                    let id = try #require(job["id"]?.string)
                    #expect(job["app"]?.string == LedgerFixture.app && job["task_id"]?.string == task.description)
                    let body: JSON = ["worker_id": "w-1", "result": result]
                    for _ in 0..<2 {
                        let done = try await client.post("/jobs/\(id)/complete", body)
                        #expect(done.status == 200 && done.json["status"] == "completed", "\(done.text)")
                    }
                    #expect(try await client.post("/jobs/\(id)/retry").isProblem(409))
                }
                let view = try #require(try await fixture.ledger.task(task))
                #expect(view.task.state == .succeeded)
                let list = try await client.get("/jobs?task_id=\(task)")
                #expect(list.json["jobs"]?.array?.count == 2)
            }
        }
    }

    @Test func aCancelledJobEndsItsRun() async throws {
        let fixture = try await ServiceFixture()
        let work = try await LedgerFixture(ledger: fixture.ledger, advanceClock: nil)
        let task = try await work.accept(work.chain)
        try await fixture.withApp(work) {
            try await fixture.serve { client in
                let job = try #require(try await client.claim { $0["task_types"] = ["alpha"] }.first?["id"]?.string)
                let answer = try await client.post("/jobs/\(job)/cancel")
                #expect(answer.status == 200 && answer.json["status"] == "cancelled", "\(answer.text)")
                #expect(try await client.post("/jobs/\(job)/heartbeat", ["worker_id": "w-1"]).json["cancel"] == true)
                try await until { try await fixture.ledger.task(task)?.task.state != .running }
            }
        }
    }

    @Test func aFailureIsTheAppsToJudge() async throws {
        let fixture = try await ServiceFixture()
        let work = try await LedgerFixture(ledger: fixture.ledger, advanceClock: nil)
        let task = try await work.accept(work.chain)
        try await fixture.withApp(work) {
            try await fixture.serve { client in
                let job = try #require(try await client.claim { $0["task_types"] = ["alpha"] }.first?["id"]?.string)
                let failure: JSON = ["worker_id": "w-1", "category": "handler", "message": "x", "retry": false]
                let answer = try await client.post("/jobs/\(job)/fail", failure)
                #expect(answer.json["status"] == "failed", "\(answer.text)")
                try await until { try await fixture.ledger.task(task)?.task.state == .failed }
            }
        }
    }
}

extension ServiceFixture {
    /// Settles the completions of the contract's app while a body runs, as its App API would.
    func withApp(_ work: LedgerFixture, _ body: @Sendable () async throws -> Void) async throws {
        let queue = QueueName.completions(app: LedgerFixture.app)
        try await broker.declare(queue)
        let consumer = CompletionsConsumer(
            broker: broker,
            queues: [queue],
            settling: CompletionSettling(
                ledger: ledger,
                media: parts.media,
                finishing: work.finishing,
                followUp: desk.followUp,
                logger: logs.logger
            ),
            prefetch: 16,
            lanes: 1,
            logger: logs.logger
        )
        let running = Task { try await consumer.run() }
        defer { running.cancel() }
        try await body()
    }
}
