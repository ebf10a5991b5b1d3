// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import Ledger
import LedgerSQLite
import Logging
import MallaTestKit
import Plumbing
import ResultStore
import ResultStoreInProcess
import Testing
import Workflow

@testable import AppAPI

/// Jobs that an App API gives to workers that offered slots; the test is the worker.
@Suite(.timeLimit(.minutes(1))) struct AssignmentTests {
    private let worker = "w-1"

    /// Offers slots as a worker does, beside a completion that means nothing.
    private func offer(_ slots: [String: Int], _ fixture: OrchestrationFixture) async throws {
        let offer = SlotOffer(worker: worker, slots: slots, sentAt: .now)
        let completion = Completion(job: MeshID(), lease: MeshID(), failure: nil, result: [], runMilliseconds: 1)
        let queue = QueueName.completions(app: "orchestra")
        try await fixture.broker.declare(queue)
        let body = CompletionBatch.body(of: [completion.body, offer.body])
        try await fixture.broker.publish([Message(queue: queue, body: body)])
        try await until { try await fixture.broker.depth(of: queue) == 0 }
    }

    /// What the worker is given.
    private func inbox(_ fixture: OrchestrationFixture) async throws -> BrokerDeliveries {
        let queue = QueueName.assignments(worker: worker)
        try await fixture.broker.declareTransient(queue)
        let deliveries = BrokerDeliveries()
        _ = try await fixture.broker.consume(queue, prefetch: 100) { deliveries.take($0) }
        return deliveries
    }

    private func items(_ deliveries: BrokerDeliveries) throws -> [Assignment.Item] {
        try deliveries.all.flatMap { try Assignment(body: $0.body).items }
    }

    /// Calls until the job of a call was given to the worker: the offer may be read a moment later.
    private func callUntilAssigned(
        _ client: MarketplaceClient,
        _ fixture: OrchestrationFixture,
        _ inbox: BrokerDeliveries
    ) async throws -> (task: String, item: Assignment.Item) {
        while true {
            let task = try await client.play().task
            let job = try #require(try await jobs(of: task, fixture).first)
            guard job.state == .running else {
                try await offer(["alpha": 1], fixture)
                continue
            }
            try await inbox.wait(for: 1)
            return (task, try items(inbox)[0])
        }
    }

    @Test func aWorkersSlotIsGivenToTheFirstStageAndTheOthersAreHandedOver() async throws {
        let fixture = try await OrchestrationFixture()
        let inbox = try await inbox(fixture)
        try await fixture.serve { client in
            try await offer(["alpha": 1], fixture)
            let (task, item) = try await callUntilAssigned(client, fixture, inbox)
            #expect(item.job.task?.description == task)
            #expect(item.job.worker == worker && item.job.service == "alpha" && item.job.attempt == 1)
            #expect(try await fixture.ledger.job(item.job.id)?.job.lease == item.job.lease)
            #expect(try await fixture.ledger.job(item.job.id)?.input == item.input)
            // The one slot is taken, and the worker has not said that it saw it.
            let next = try await client.play().task
            let jobs = try await jobs(of: next, fixture)
            #expect(jobs.map(\.state) == [.waiting])
        }
    }

    /// The job of a request that came before was never stored: nobody may run it.
    @Test func aRepeatedRequestGivesNothingToAnyone() async throws {
        let fixture = try await OrchestrationFixture()
        let inbox = try await inbox(fixture)
        try await fixture.serve { client in
            while inbox.all.count < 5 {
                let request = MeshID().description
                try await offer(["alpha": 9], fixture)
                async let first = client.play(request: request).task
                async let second = client.play(request: request).task
                #expect(try await first == second)
            }
            for item in try items(inbox) {
                #expect(try await fixture.ledger.job(item.job.id)?.job.lease == item.job.lease)
            }
        }
    }

    @Test func aFanOutFillsTheSlotsAndItsRestIsHandedOver() async throws {
        let fixture = try await OrchestrationFixture()
        let inbox = try await inbox(fixture)
        try await fixture.serve { client in
            let task = try await client.play().task
            let first = try await fixture.claim("alpha")
            try await publish(first, ["list": [1, 2, 3, 4, 5], "text": ""], with: ["beta": 3], fixture)
            try await fixture.handOver(of: "beta")
            try await inbox.wait(for: 1)
            let given = try items(inbox)
            #expect(given.map(\.job.item) == [0, 1, 2])
            let jobs = try await jobs(of: task, fixture)
            #expect(jobs.map(\.state) == [.succeeded, .running, .running, .running, .waiting, .waiting])
            for item in given { try await fixture.publish(item.job, 7) }
            for _ in 0..<2 { try await fixture.publish(try await fixture.claim("beta"), 8) }
            #expect(try await fixture.ended(task).state == .succeeded)
        }
    }

    @Test func whatIsAnnouncedAndNeverCommittedIsStoppedByAHint() async throws {
        let fixture = try await OrchestrationFixture()
        let inbox = try await inbox(fixture)
        let hints = fixture.results.hints()
        let assignments = desk(fixture)
        assignments.note(SlotOffer(worker: worker, slots: ["alpha": 2], sentAt: .now))
        let waiting = Job(id: MeshID(), service: "alpha", createdAt: .now)
        let record = JobRecord(job: assignments.assign(waiting, inputSize: 2, at: .now), input: Array("{}".utf8))
        #expect(assignments.announce([record]).map(\.job.id) == [waiting.id])
        try await inbox.wait(for: 1)
        assignments.revoke([record])
        let lease = try #require(record.job.lease)
        #expect(await hints.first { _ in true } == .cancelled([lease]))
        await fixture.broker.close()
        #expect(assignments.announce([record]).isEmpty, "to be told of after the commit")
    }

    @Test func whatCantBeSentWaitsForAnyoneAgain() async throws {
        let fixture = try await OrchestrationFixture()
        let assignments = desk(fixture)
        assignments.note(SlotOffer(worker: worker, slots: ["alpha": 2], sentAt: .now))
        let waiting = Job(id: MeshID(), service: "alpha", createdAt: .now)
        let job = assignments.assign(waiting, inputSize: 2, at: .now)
        #expect(job.state == .running && job.worker == worker)
        let record = JobRecord(job: job, input: Array("{}".utf8))
        try await fixture.ledger.create([record])
        await fixture.broker.close()
        assignments.send([record])
        #expect(await fixture.handedOver.jobs.first { _ in true }?.job == job.id)
        #expect(try await fixture.ledger.job(job.id)?.job.state == .waiting)
        #expect(assignments.assign(waiting, inputSize: 2, at: .now).state == .waiting, "it can't be reached")
    }

    @Test func anOldOfferIsNoneAndALargeInputDoesNotTravel() async throws {
        let fixture = try await OrchestrationFixture()
        let assignments = desk(fixture)
        let job = Job(id: MeshID(), service: "alpha", createdAt: .now)
        assignments.note(SlotOffer(worker: worker, slots: ["alpha": 2], sentAt: .now - .seconds(2)))
        #expect(assignments.assign(job, inputSize: 2, at: .now) == job)
        assignments.note(SlotOffer(worker: worker, slots: ["alpha": 2], sentAt: .now))
        #expect(assignments.assign(job, inputSize: Assignment.maxInput + 1, at: .now) == job)
        #expect(assignments.assign(job, inputSize: Assignment.maxInput, at: .now).worker == worker)
    }

    private func jobs(of task: String, _ fixture: OrchestrationFixture) async throws -> [Job] {
        let id = try #require(MeshID(task))
        return try await fixture.ledger.jobs(ofTask: id, limit: 10)
    }

    private func desk(_ fixture: OrchestrationFixture) -> AssignmentDesk {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        return AssignmentDesk(
            broker: fixture.broker,
            ledger: fixture.ledger,
            handOver: HandOverDesk(
                port: fixture.handedOver,
                broker: fixture.broker,
                ledger: fixture.ledger,
                catalog: AppCatalog(apps: [], services: []),
                logger: logger
            ),
            results: fixture.results,
            ledgerClock: LedgerClock(fixture.ledger),
            logger: logger
        )
    }

    /// Publishes a completion with an offer in the same message, which is read first.
    private func publish(
        _ job: Job,
        _ result: JSON,
        with slots: [String: Int],
        _ fixture: OrchestrationFixture
    ) async throws {
        let completion = Completion(
            job: job.id,
            lease: try #require(job.lease),
            failure: nil,
            result: result.bytes,
            runMilliseconds: 1
        )
        let offer = SlotOffer(worker: worker, slots: slots, sentAt: .now)
        let queue = QueueName.completions(app: "orchestra")
        let body = CompletionBatch.body(of: [completion.body, offer.body])
        try await fixture.broker.publish([Message(queue: queue, body: body)])
    }
}
