// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

/// What must hold when one process goes by what it knows of a run and another one has moved the run on.
///
/// `mine` accepts and knows the runs; `other` is a second process on the same ledger.
struct KnownRunScenario: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let body: @Sendable (_ mine: LedgerFixture, _ other: LedgerFixture) async throws -> Void

    static let all = [
        KnownRunScenario(testDescription: "the other one cancelled the task") { mine, other in
            let task = try await mine.accept(mine.chain)
            let first = try await mine.claimOne()
            try await other.settle(task: task, .cancelled)
            let late = try await mine.settle(.completion(first.job.id, first.lease))
            #expect(late.verdicts == [.stale])
            #expect(late.ready.isEmpty)
            #expect(try await mine.view(task).task.state == .cancelled)
            #expect(try await mine.ledger.callbacks(of: task).count == 1)
        },
        KnownRunScenario(testDescription: "the other one settled the same completion") { mine, other in
            let task = try await mine.accept(mine.chain)
            let first = try await mine.claimOne()
            let step = try await other.settle(.completion(first.job.id, first.lease, "{\"a\":1}"))
            #expect(step.ready.count == 1)
            let again = try await mine.settle(.completion(first.job.id, first.lease, "{\"a\":2}"))
            #expect(again.verdicts == [.stale])
            #expect(again.ready.isEmpty)
            let second = try await mine.claimOne(service: "beta")
            let end = try await mine.settle(.completion(second.job.id, second.lease, "{\"b\":1}"))
            #expect(end.finished.map(\.id) == [task])
            #expect(try await mine.ledger.jobs(ofTask: task, limit: 10).count == 2)
        },
        KnownRunScenario(testDescription: "the job went to another lease") { mine, other in
            _ = try await mine.accept(mine.chain)
            let first = try await mine.claimOne()
            _ = try await other.ledger.handBack([LeaseProbe(job: first.job.id, lease: first.lease)])
            #expect(try await mine.settle(.completion(first.job.id, first.lease)).verdicts == [.stale])
            let second = try await other.claimOne(worker: "w2")
            let step = try await mine.settle(.completion(second.job.id, second.lease))
            #expect(step.verdicts == [.applied(.succeeded)])
            #expect(step.ready.count == 1)
        },
        KnownRunScenario(testDescription: "one of fifty was cancelled: the others go on") { mine, other in
            var tasks: [TaskID] = []
            for _ in 0..<50 { tasks.append(try await mine.accept(mine.chain)) }
            let claimed = try await mine.claim(50)
            try await other.settle(task: tasks[17], .cancelled)
            let outcome = try await mine.settle(all: claimed.map { .completion($0.job.id, $0.lease) })
            #expect(outcome.verdicts.count { $0 == .stale } == 1)
            #expect(outcome.ready.count == 49)
            let seconds = try await mine.work("beta") { _ in .success("{}") }
            #expect(seconds.flatMap(\.finished).count == 49)
        },
        KnownRunScenario(testDescription: "what is known is stale, and comes with what is not known") { mine, other in
            let stale = try await mine.accept(mine.chain)
            _ = try await other.accept(other.chain)
            let claimed = try await mine.claim(2)
            try await other.settle(task: stale, .cancelled)
            let outcome = try await mine.settle(all: claimed.map { .completion($0.job.id, $0.lease) })
            #expect(outcome.verdicts.sorted { "\($0)" < "\($1)" } == [.applied(.succeeded), .stale])
            #expect(outcome.ready.count == 1)
        },
        KnownRunScenario(testDescription: "an earlier stage's output is read for the end") { mine, _ in
            _ = try await mine.accept(mine.relay)
            _ = try await mine.work("alpha") { _ in .success("{\"a\":1}") }
            let ends = try await mine.work("beta") { _ in .success("{\"b\":2}") }.flatMap(\.finished)
            #expect(ends.map(\.output) == [Array("{\"first\":{\"a\":1},\"second\":{\"b\":2}}".utf8)])
        },
        KnownRunScenario(testDescription: "failed attempts, then a success: the counters stay") { mine, other in
            let task = try await mine.accept(mine.chain)
            let first = try await mine.claimOne()
            let again = JobError(.handler, "again")
            let failed = try await other.settle(
                Settlement(job: first.job.id, event: .handlerDied(lease: first.lease, again))
            )
            #expect(failed.verdicts == [.applied(.waiting)])
            let second = try await mine.claimOne()
            let step = try await mine.settle(.completion(second.job.id, second.lease))
            #expect(step.verdicts == [.applied(.succeeded)])
            let job = try await mine.job(first.job.id)
            #expect((job.attempt, job.deaths, job.state) == (2, 1, .succeeded))
            #expect(job.error == nil)
            let (started, ended) = (try #require(job.startedAt), try #require(job.finishedAt))
            #expect(ended >= started)
            #expect(try await mine.view(task).run.stages[0].succeeded == 1)
        },
        KnownRunScenario(testDescription: "two leases claim the same success: the row decides") { mine, _ in
            _ = try await mine.accept(mine.chain)
            let first = try await mine.claimOne()
            let outcome = try await mine.settle(
                .completion(first.job.id, MeshID(), "1"),
                .completion(first.job.id, first.lease, "2")
            )
            #expect(outcome.verdicts == [.stale, .applied(.succeeded)])
            #expect(try await mine.ledger.job(first.job.id)?.result == Array("2".utf8))
        },
        KnownRunScenario(testDescription: "an unknown and a known run share a batch") { mine, other in
            _ = try await mine.accept(mine.chain)
            _ = try await other.accept(other.chain)
            _ = try await other.accept(other.fanAll, payload: "{\"n\":2}")
            let outcomes = try await mine.work("alpha") { _ in .success("{}") }
            #expect(outcomes.flatMap(\.verdicts) == Array(repeating: .applied(.succeeded), count: 4))
            #expect(outcomes.flatMap(\.ready).count == 2)
            #expect(outcomes.flatMap(\.finished).count == 1)
        },
    ]

    /// Chains that two processes settle in any order, some completions twice, a few tasks cancelled on the way.
    static func interleave(_ mine: LedgerFixture, _ other: LedgerFixture, seed: UInt64) async throws {
        var dice = SeededGenerator(seed: seed)
        let both = [mine, other]
        var tasks: [TaskID] = []
        for _ in 0..<12 { tasks.append(try await both[Int.random(in: 0...1, using: &dice)].accept(mine.chain)) }
        var sent: [Settlement] = []
        var outcomes: [SettleOutcome] = []
        for service in ["alpha", "beta"] {
            while true {
                let some = Int.random(in: 1...5, using: &dice)
                let claimed = try await both[Int.random(in: 0...1, using: &dice)].claim(some, service: service)
                if claimed.isEmpty { break }
                if Int.random(in: 0..<6, using: &dice) == 0, let task = tasks.randomElement(using: &dice) {
                    outcomes.append(try await both[Int.random(in: 0...1, using: &dice)].settle(task: task, .cancelled))
                }
                let batch = claimed.map { Settlement.completion($0.job.id, $0.lease) }
                sent += batch
                let repeats = sent.filter { _ in Int.random(in: 0..<8, using: &dice) == 0 }
                async let one = mine.settle(all: batch + repeats)
                async let two = other.settle(all: repeats.reversed())
                outcomes += try await [one, two]
            }
        }
        // Whatever follows a commit follows it once.
        #expect(outcomes.flatMap(\.finished).map(\.id).sorted() == tasks.sorted(), "seed \(seed)")
        let ready = outcomes.flatMap(\.ready).map(\.id)
        #expect(Set(ready).count == ready.count, "seed \(seed)")
        let succeeded = outcomes.flatMap(\.verdicts).count { $0 == .applied(.succeeded) }
        var ended = 0
        for task in tasks {
            ended += try await mine.ledger.jobs(ofTask: task, limit: 10).count { $0.state == .succeeded }
        }
        #expect(succeeded == ended, "seed \(seed)")
        for task in tasks {
            let view = try await mine.view(task)
            #expect([.succeeded, .cancelled].contains(view.task.state), "seed \(seed)")
            #expect(view.task.state == view.run.state, "seed \(seed)")
            let jobs = try await mine.ledger.jobs(ofTask: task, limit: 10)
            #expect(jobs.count <= 2, "seed \(seed): a stage was started twice")
            #expect(jobs.allSatisfy { $0.state.isFinal }, "seed \(seed)")
            #expect(try await mine.ledger.callbacks(of: task).count == 1, "seed \(seed)")
        }
    }
}
