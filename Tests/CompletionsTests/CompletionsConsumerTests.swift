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
import ServiceLifecycle
import Testing
import Workflow

@Suite(.timeLimit(.minutes(1))) struct CompletionsConsumerTests {
    private static func message(
        _ job: Job,
        _ result: String,
        usage: JobUsage? = nil,
        failure: Completion.Failure? = nil
    ) throws -> Message {
        let completion = Completion(
            job: job.id,
            lease: try #require(job.lease),
            failure: failure,
            result: Array(result.utf8),
            runMilliseconds: 1,
            usage: usage
        )
        return Message(queue: QueueName.completions(of: job), body: completion.body)
    }

    @Test func theQueuesOfFiftyServicesAreServed() async throws {
        let services = (0..<50).map { "service-\($0)" }
        let fixture = try await CompletionsFixture(services: services)
        try await fixture.serve {
            var ids: Set<JobID> = []
            for service in services {
                try await fixture.create(40, service: service)
                let jobs = try await fixture.claim(40, service: service)
                ids.formUnion(jobs.map(\.id))
                // Every completion comes twice.
                let messages = try jobs.map { try Self.message($0, "1") }
                try await fixture.broker.publish(messages + messages)
            }
            let ended = try await fixture.ended(ids.count)
            #expect(Set(ended.map(\.id)) == ids && ended.count == ids.count)
            #expect(ended.allSatisfy { $0.state == .succeeded })
        }
        // Settled or given back: nothing of a message that counted may be left to count again.
        try await fixture.serve {
            let job = try await fixture.create(1, service: services[7])[0]
            _ = try await fixture.claim(1, service: services[7])
            let body = JobCancellation(job: job.id).body
            try await fixture.broker.publish([Message(queue: QueueName.completions(of: job), body: body)])
            #expect(try await fixture.ended(1).map(\.id) == [job.id])
        }
    }

    @Test func aCompletionThatIsAheadOfItsJobsCommitIsSettledAfterIt() async throws {
        let fixture = try await CompletionsFixture()
        let job = try Self.running()
        try await fixture.serve {
            try await fixture.broker.publish([try Self.message(job, "1")])
            for await outcome in fixture.followUp.outcomes {
                #expect(outcome.verdicts == [.unknown])
                break
            }
            try await fixture.ledger.create([JobRecord(job: job, input: [])])
            #expect(try await fixture.ended(1).map(\.id) == [job.id])
            #expect(try await fixture.ledger.job(job.id)?.result == Array("1".utf8))
        }
        // It was acknowledged then, and does not come again.
        #expect(try await fixture.broker.depth(of: QueueName.completions(of: job)) == 0)
    }

    @Test func completionsWhoseJobsAreNeverCommittedGiveWayAfterHalfASecond() async throws {
        let fixture = try await CompletionsFixture()
        let job = try await fixture.create(1)[0]
        let claimed = try await fixture.claim(1)[0]
        try await fixture.serve {
            let begun = ContinuousClock.now
            // As many as the consumer may hold: what comes after them comes when they are settled.
            let lost = try (0..<16).map { _ in try Self.message(try Self.running(), "1") }
            try await fixture.broker.publish(lost + [try Self.message(claimed, "2")])
            #expect(try await fixture.ended(1).map(\.id) == [job.id])
            #expect(ContinuousClock.now - begun > .milliseconds(450))
        }
    }

    private static func running() throws -> Job {
        let job = Job(id: MeshID(), service: "echo", createdAt: .now)
        return try #require(JobRules.apply(.claimed(lease: MeshID(), worker: "w-1"), to: job, at: .now))
    }

    @Test func aCancellationEndsARunningJobAndStopsItsWorker() async throws {
        let fixture = try await CompletionsFixture()
        try await fixture.create(2)
        let jobs = try await fixture.claim(2)
        let hints = fixture.results.hints()
        try await fixture.serve {
            let cancellation = Message(
                queue: QueueName.completions(of: jobs[0]),
                body: JobCancellation(job: jobs[0].id).body
            )
            try await fixture.broker.publish([cancellation])
            let ended = try await fixture.ended(1)
            #expect(ended.map(\.id) == [jobs[0].id] && ended[0].state == .cancelled)
        }
        var heard: Set<Hint> = []
        for await hint in hints {
            heard.insert(hint)
            if heard.count == 2 { break }
        }
        let lease = try #require(jobs[0].lease)
        #expect(heard == [.cancelled([lease]), .ended([jobs[0].id])])
        #expect(try await fixture.ledger.job(jobs[1].id)?.job.state == .running)
    }

    @Test func usageIsKeptWhetherTheJobSucceedsOrNot() async throws {
        let fixture = try await CompletionsFixture()
        try await fixture.create(3)
        let jobs = try await fixture.claim(3)
        let usage = JobUsage(costUSD: 0.25, promptTokens: 7)
        try await fixture.serve {
            let failure = Completion.Failure(JobError(.handler, "no", isFinal: true))
            try await fixture.broker.publish([
                try Self.message(jobs[0], "1", usage: usage),
                try Self.message(jobs[1], "", usage: usage, failure: failure),
                try Self.message(jobs[2], "3"),
            ])
            #expect(try await fixture.ended(3).count == 3)
        }
        for job in jobs[..<2] {
            let stored = try #require(try await fixture.ledger.job(job.id)?.usage)
            #expect(JobUsage(json: try JSON(parsing: stored)) == usage)
        }
        #expect(try await fixture.ledger.job(jobs[2].id)?.usage == nil)
    }

    @Test func rubbishIsDroppedAndHoldsNobodyUp() async throws {
        let fixture = try await CompletionsFixture()
        try await fixture.create(1)
        let job = try await fixture.claim(1)[0]
        let queue = QueueName.completions(of: job)
        try await fixture.serve {
            let rubbish = ["", "\n", "{\n", #"{"cancel":"x"}"# + "\n", #"{"job":1}"# + "\n1"]
            // More than the prefetch: kept, they would block the queue.
            let bodies = Array(repeating: rubbish, count: 10).flatMap(\.self).map { Array($0.utf8) }
            try await fixture.broker.publish(bodies.map { Message(queue: queue, body: $0) })
            try await fixture.broker.publish([
                Message(queue: queue, body: JobCancellation(job: MeshID()).body), try Self.message(job, "1"),
            ])
            #expect(try await fixture.ended(1).map(\.state) == [.succeeded])
        }
    }

    @Test func completionsThatTravelTogetherAreSettledOneByOne() async throws {
        let fixture = try await CompletionsFixture()
        try await fixture.create(101)
        let jobs = try await fixture.claim(101)
        let queue = QueueName.completions(of: jobs[0])
        var bodies = try jobs.dropLast().map { try Self.message($0, "1").body }
        // Rubbish, and one that comes twice, in the same message as others.
        bodies.insert(contentsOf: [Array("{}".utf8), bodies[0], []], at: 7)
        let joined = stride(from: 0, to: bodies.count, by: 10).map { start in
            let part = Array(bodies[start..<min(start + 10, bodies.count)])
            return Message(queue: queue, body: CompletionBatch.body(of: part))
        }
        try await fixture.serve {
            // Far more than the prefetch: whatever was not acknowledged in the end would block the queue.
            let empty = Message(queue: queue, body: Array("[]\n".utf8))
            try await fixture.broker.publish(joined + [empty] + joined + joined + joined)
            try await fixture.broker.publish([try Self.message(try #require(jobs.last), "1")])
            let ended = try await fixture.ended(101)
            #expect(Set(ended.map(\.id)) == Set(jobs.map(\.id)) && ended.count == 101)
        }
    }

    @Test func aMessageOfSeveralComesAgainAsAWhole() async throws {
        let fixture = try await CompletionsFixture()
        try await fixture.create(20)
        let jobs = try await fixture.claim(20)
        let queue = QueueName.completions(of: jobs[0])
        let body = CompletionBatch.body(of: try jobs.map { try Self.message($0, "1").body })
        try await fixture.broker.publish([Message(queue: queue, body: body)])
        await fixture.ledger.close()
        let group = ServiceGroup(services: [fixture.consumer()], logger: Logger(label: "test"))
        let running = Task { try await group.run() }
        try await until { try await fixture.broker.depth(of: queue) == 0 }
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(try await fixture.broker.depth(of: queue) == 1)
    }

    /// The ledger is away, so each batch comes back to the queue, which would deliver it again.
    @Test func aConsumerThatStopsTakesNothingMore() async throws {
        let fixture = try await CompletionsFixture()
        try await fixture.create(300)
        let jobs = try await fixture.claim(300)
        let queue = QueueName.completions(of: jobs[0])
        try await fixture.broker.publish(try jobs.map { try Self.message($0, "1") })
        await fixture.ledger.close()
        let group = ServiceGroup(services: [fixture.consumer()], logger: Logger(label: "test"))
        let running = Task { try await group.run() }
        try await until { try await fixture.broker.depth(of: queue) == 300 - 16 }
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(try await fixture.broker.depth(of: queue) == 300, "all of them are given back")
    }
}
