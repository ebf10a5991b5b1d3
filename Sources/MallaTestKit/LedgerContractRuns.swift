// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    private static func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    static let runCases = [
        Case("a chain of two stages runs to its output") { fixture in
            let task = try await fixture.accept(fixture.chain, payload: "{\"x\":1}")
            let first = try await fixture.claimOne()
            try requireEqual(text(try await fixture.ledger.job(first.job.id)?.input), "{\"x\":1}", "first input")
            let step = try await fixture.settle(.completion(first.job.id, first.lease, "{\"y\":2}"))
            try requireEqual(step.ready.map(\.service), ["beta"], "the jobs that are ready")
            try requireEqual(step.finished.count, 0, "finished tasks")
            let second = try await fixture.claimOne(service: "beta")
            try requireEqual(second.job.id, step.ready.first?.id, "the second job")
            try requireEqual(second.job.timeout, .seconds(30), "the second job's timeout")
            try requireEqual(text(try await fixture.ledger.job(second.job.id)?.input), "{\"y\":2}", "second input")
            let end = try await fixture.settle(.completion(second.job.id, second.lease, "{\"z\":3}"))
            try requireEqual(end.finished.map(\.id), [task], "finished tasks")
            try requireEqual(end.callbacks.count, 1, "callbacks")
            let view = try await fixture.view(task)
            try requireEqual(view.task.state, .succeeded, "state")
            try requireEqual(text(view.task.output), "{\"z\":3}", "output")
            try requireEqual(view.run.stages.map(\.status), [.succeeded, .succeeded], "stages")
            try require(view.task.finishedAt != nil, "an ended task has no end")
            let again = try await fixture.settle(.completion(second.job.id, second.lease, "{\"z\":4}"))
            try requireEqual(again.verdicts, [.stale], "verdict of a repeat")
            try requireEqual(try await fixture.ledger.callbacks(of: task).count, 1, "callbacks after a repeat")
        },
        Case("many runs advance in one batch") { fixture in
            for _ in 0..<50 { _ = try await fixture.accept(fixture.chain) }
            let first = try await fixture.work("alpha") { _ in .success("{\"a\":1}") }
            try requireEqual(first.flatMap(\.ready).count, 50, "ready jobs")
            let second = try await fixture.work("beta") { _ in .success("{\"b\":2}") }
            try requireEqual(second.flatMap(\.finished).count, 50, "finished tasks")
            try require(second.flatMap(\.finished).allSatisfy { text($0.output) == "{\"b\":2}" }, "a wrong output")
        },
        Case("a fan-out of 1,000 joins once, its items in order") { fixture in
            let task = try await fixture.accept(fixture.fanAll, payload: "{\"n\":1000}")
            let outcomes = try await fixture.work("alpha", batch: 130) { .success("\($0.item ?? -1)") }
            try requireEqual(outcomes.flatMap(\.finished).map(\.id), [task], "finished tasks")
            let view = try await fixture.view(task)
            let items = (0..<1000).map(String.init).joined(separator: ",")
            try requireEqual(text(view.task.output), "{\"items\":[\(items)]}", "output")
            try requireEqual(view.run.stages[0].succeeded, 1000, "the join's counter")
        },
        Case("joins of one fan-out that are settled at once lose no count") { fixture in
            let task = try await fixture.accept(fixture.fanAll, payload: "{\"n\":200}")
            let claimed = try await fixture.claim(200)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (job, lease) in claimed {
                    group.addTask { _ = try await fixture.settle(.completion(job.id, lease, "1")) }
                }
                try await group.waitForAll()
            }
            let view = try await fixture.view(task)
            try requireEqual(view.task.state, .succeeded, "state")
            try requireEqual(view.run.stages[0].succeeded, 200, "the join's counter")
            try requireEqual(try await fixture.ledger.callbacks(of: task).count, 1, "callbacks")
        },
        Case("a join that tolerates failures keeps the error of each item") { fixture in
            let task = try await fixture.accept(fixture.fanSome, payload: "{\"n\":3}")
            _ = try await fixture.work("alpha", batch: 1) { job in
                job.item == 1 ? .failure(JobError(.handler, "no", isFinal: true)) : .success("\(job.item ?? -1)")
            }
            let view = try await fixture.view(task)
            try requireEqual(view.task.state, .succeeded, "state")
            try requireEqual(
                text(view.task.output),
                "{\"items\":[0,null,2],\"errors\":[{\"index\":1,\"category\":\"handler\",\"message\":\"no\"}]}",
                "output"
            )
        },
        Case("the first final failure of a join of all fails the task and cancels the rest") { fixture in
            let task = try await fixture.accept(fixture.fanAll, payload: "{\"n\":5}")
            let claimed = try await fixture.claim(2)
            let error = JobError(.invalidInput, "bad item")
            let outcome = try await fixture.settle(
                Settlement(job: claimed[0].job.id, event: .failed(lease: claimed[0].lease, error))
            )
            try requireEqual(outcome.finished.map(\.id), [task], "finished tasks")
            try requireEqual(outcome.cancelled.map(\.id), [claimed[1].job.id], "running jobs that were cancelled")
            try requireEqual(outcome.cancelled.first?.lease, claimed[1].lease, "the lease of a cancelled job")
            let view = try await fixture.view(task)
            try requireEqual(view.task.state, .failed, "state")
            try requireEqual(view.task.failedStage, "items", "stage to blame")
            try requireEqual(view.task.error?.category, .invalidInput, "category")
            let states = try await fixture.ledger.jobs(ofTask: task, limit: 10).map(\.state)
            try requireEqual(states.count { $0 == .cancelled }, 4, "cancelled jobs")
            try requireEqual(try await fixture.claim(5).count, 0, "claims after the end")
        },
        Case("cancelling a task cancels its jobs, once") { fixture in
            let task = try await fixture.accept(fixture.fanAll, payload: "{\"n\":4}")
            let running = try await fixture.claimOne()
            let outcome = try await fixture.settle(task: task, .cancelled)
            try requireEqual(outcome.finished.map(\.state), [.cancelled], "finished tasks")
            try requireEqual(outcome.cancelled.map(\.lease), [running.lease], "leases of cancelled jobs")
            let standing = try await fixture.beat(
                "w1",
                leases: [LeaseProbe(job: running.job.id, lease: running.lease)]
            )
            try requireEqual(standing, [.stopped], "standing")
            let late = try await fixture.settle(.completion(running.job.id, running.lease))
            try requireEqual(late.verdicts, [.stale], "verdict of a late completion")
            let again = try await fixture.settle(task: task, .cancelled)
            try requireEqual(again.finished.count, 0, "finished tasks of a second cancel")
            let states = try await fixture.ledger.jobs(ofTask: task, limit: 10).map(\.state)
            try requireEqual(states, Array(repeating: .cancelled, count: 4), "job states")
            try requireEqual(try await fixture.ledger.callbacks(of: task).count, 1, "callbacks")
            _ = try await fixture.settle(task: MeshID(), .cancelled)
        },
        Case("the deadline of a task ends it and its jobs") { fixture in
            let request = fixture.request(fixture.chain, deadline: .seconds(20))
            try requireEqual(try await fixture.ledger.accept([request]), [.created], "acceptance")
            let safe = try await fixture.accept(fixture.chain)
            let none = try await fixture.ledger.overdue(apps: [LedgerFixture.app], limit: 10)
            try requireEqual(none.tasks.count + none.jobs.count, 0, "overdue too early")
            try await fixture.pass(.seconds(30))
            let elsewhere = try await fixture.ledger.overdue(apps: ["other"], limit: 10)
            try requireEqual(elsewhere.tasks.count, 0, "overdue tasks of another app")
            try requireEqual(try await fixture.ledger.overdue(apps: nil, limit: 10).tasks.count, 0, "for no app")
            let due = try await fixture.ledger.overdue(apps: [LedgerFixture.app], limit: 10)
            try requireEqual(due.tasks.map(\.task), [request.task.id], "overdue tasks")
            let outcome = try await fixture.ledger.settle([], tasks: due.tasks, finishing: fixture.finishing)
            try requireEqual(outcome.finished.map(\.state), [.timedOut], "states")
            try requireEqual(try await fixture.view(request.task.id).task.state, .timedOut, "state")
            let jobs = try await fixture.ledger.jobs(ofTask: request.task.id, limit: 10)
            try requireEqual(jobs.map(\.state), [.timedOut], "job states")
            try requireEqual(jobs.map { $0.error?.category }, [.timeout], "the jobs' errors")
            try require(jobs.allSatisfy { $0.finishedAt != nil }, "a job has no end: \(jobs)")
            try requireEqual(try await fixture.view(safe).task.state, .running, "the other task's state")
            let rest = try await fixture.ledger.overdue(apps: [LedgerFixture.app], limit: 10)
            try requireEqual(rest.tasks.count, 0, "overdue tasks afterwards")
        },
        Case("a run whose definition is gone fails instead of staying") { fixture in
            var request = fixture.request(fixture.chain)
            request.task.definition = "0000"
            try requireEqual(try await fixture.ledger.accept([request]), [.created], "acceptance")
            try requireEqual(try await fixture.view(request.task.id).stageNames, [], "stage names")
            let claimed = try await fixture.claimOne()
            let outcome = try await fixture.settle(.completion(claimed.job.id, claimed.lease))
            try requireEqual(outcome.finished.map(\.state), [.failed], "states")
        },
    ]
}
