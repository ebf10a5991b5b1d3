// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    static let assignedCases = [
        Case("jobs that are created as claimed run under their leases from stage to stage") { fixture in
            let request = try await fixture.acceptAssigned(fixture.chain, payload: "{\"x\":1}")
            let first = request.jobs[0].job
            let lease = try unwrap(first.lease, "the lease")
            try requireEqual(try await fixture.job(first.id).state, .running, "state")
            try requireEqual(try await fixture.job(first.id).attempt, 1, "attempt")
            try requireEqual(try await fixture.claim(5).count, 0, "claims of a job that runs")
            try requireEqual(
                try await fixture.beat("w1", leases: [LeaseProbe(job: first.id, lease: lease)]),
                [.held],
                "standing"
            )
            try require(try await fixture.view(request.task.id).startedAt != nil, "a task that runs has no start")
            let step = try await fixture.ledger.settle(
                [.completion(first.id, lease, "{\"y\":2}")],
                tasks: [],
                finishing: LedgerRunFinishing(worker: "w1")
            )
            try requireEqual(step.ready.count, 0, "jobs that wait")
            let second = try unwrap(step.assigned.first, "the second job")
            try requireEqual(String(decoding: second.input, as: UTF8.self), "{\"y\":2}", "second input")
            try requireEqual(second.job.worker, "w1", "worker")
            try requireEqual(try await fixture.claim(5, service: "beta").count, 0, "claims of the second")
            let end = try await fixture.settle(
                .completion(second.job.id, try unwrap(second.job.lease, "the second lease"), "{\"z\":3}")
            )
            try requireEqual(end.finished.map(\.id), [request.task.id], "finished tasks")
        },
        Case("a lease that is not the row's settles nothing of a job that was created as claimed") { fixture in
            let request = try await fixture.acceptAssigned(fixture.chain)
            let job = request.jobs[0].job
            try requireEqual(try await fixture.settle(.completion(job.id, MeshID())).verdicts, [.stale], "verdict")
            try requireEqual(try await fixture.job(job.id).state, .running, "state")
            let lease = try unwrap(job.lease, "the lease")
            try requireEqual(
                try await fixture.settle(.completion(job.id, lease)).verdicts,
                [.applied(.succeeded)],
                "verdict of the right one"
            )
        },
        Case("a worker is told what was assigned to it so long ago; given back, it is claimed by another") { fixture in
            let request = try await fixture.acceptAssigned(fixture.chain)
            let probe = LeaseProbe(
                job: request.jobs[0].job.id,
                lease: try unwrap(request.jobs[0].job.lease, "the lease")
            )
            let claimed = try await fixture.create(1)[0]
            let own = try await fixture.claimOne()
            try requireEqual(own.job.id, claimed.id, "the claimed job")
            try requireEqual(try await fixture.ledger.assigned(to: "w1", olderThan: .zero), [probe], "assigned")
            try requireEqual(
                try await fixture.ledger.assigned(to: "w1", olderThan: .seconds(60)).count,
                0,
                "assigned long ago"
            )
            try requireEqual(try await fixture.ledger.assigned(to: "w2", olderThan: .zero).count, 0, "another's")
            try requireEqual(try await fixture.ledger.handBack([probe]).map(\.id), [probe.job], "given back")
            let again = try await fixture.claimOne(worker: "w2")
            try requireEqual(again.job.id, probe.job, "claimed by another")
            try requireEqual(again.job.attempt, 2, "attempt")
            try requireEqual(try await fixture.ledger.assigned(to: "w2", olderThan: .zero).count, 0, "what it claimed")
            try requireEqual(again.job.orphaned, 0, "orphaned")
        },
        Case("jobs that were created as claimed by a worker that never beat are reaped") { fixture in
            let request = fixture.request(fixture.chain, worker: "nobody")
            _ = try await fixture.ledger.accept([request])
            let reaped = try await fixture.ledger.reap(olderThan: .seconds(6), limit: 10)
            try requireEqual(reaped.ready.map(\.id), request.jobs.map(\.job.id), "reaped jobs")
        },
        Case("a cancel in the step that creates a job as claimed tells of it, if it is created at all") { fixture in
            let request = try await fixture.acceptAssigned(fixture.chain)
            let first = request.jobs[0].job
            let outcome = try await fixture.ledger.settle(
                [.completion(first.id, try unwrap(first.lease, "the lease"))],
                tasks: [TaskSettlement(task: request.task.id, event: .cancelled)],
                finishing: LedgerRunFinishing(worker: "w1")
            )
            try requireEqual(outcome.finished.map(\.state), [.cancelled], "finished tasks")
            let cancelled = Set(outcome.cancelled.map(\.id))
            try require(outcome.assigned.allSatisfy { cancelled.contains($0.job.id) }, "a job that runs on untold")
            let states = try await fixture.ledger.jobs(ofTask: request.task.id, limit: 10).map(\.state)
            try require(states.allSatisfy(\.isFinal), "jobs of a cancelled task: \(states)")
        },
        Case("a cancel tells of the jobs that were created as claimed") { fixture in
            let request = try await fixture.acceptAssigned(fixture.fanAll, payload: "{\"n\":4}")
            let outcome = try await fixture.settle(task: request.task.id, .cancelled)
            try requireEqual(
                Set(outcome.cancelled.map(\.lease)),
                Set(request.jobs.map(\.job.lease)),
                "leases of cancelled jobs"
            )
        },
    ]
}

extension LedgerContract {
    static let announcedCases = [
        Case("a job whose run is known is announced, and not told of after the commit") { fixture in
            let (request, word, outcome) = try await fixture.announcing { _ in }
            try requireEqual(outcome.verdicts, [.applied(.succeeded)], "verdict")
            try requireEqual(outcome.assigned.map(\.job.id), [], "jobs to be told of")
            try requireEqual([word.announced.count, word.revoked.count], [1, 0], "announced and revoked jobs")
            let second = try await fixture.job(word.announced[0])
            try requireEqual(second.state, .running, "its state")
            let end = try await fixture.settle(try .completion(second))
            try requireEqual(end.finished.map(\.id), [request.task.id], "finished tasks")
        },
        Case("of several runs under one guard nothing is announced: one could fail the others") { fixture in
            let requests = [
                try await fixture.acceptAssigned(fixture.chain), try await fixture.acceptAssigned(fixture.chain),
            ]
            let word = WordToWorkers()
            let outcome = try await fixture.ledger.settle(
                try requests.map { try .completion($0.jobs[0].job) },
                tasks: [],
                finishing: LedgerRunFinishing(worker: "w1", word: word)
            )
            try requireEqual(word.announced, [], "announced jobs")
            try requireEqual(outcome.assigned.count, 2, "jobs to be told of")
        },
        Case("what is announced and not created is revoked: its run was known otherwise") { fixture in
            let (_, word, outcome) = try await fixture.announcing { job in
                // What is given back is not noted with the runs.
                let probe = LeaseProbe(job: job.id, lease: try unwrap(job.lease, "the lease"))
                try requireEqual(try await fixture.ledger.handBack([probe]).count, 1, "jobs given back")
            }
            try requireEqual(outcome.verdicts, [.stale], "verdict")
            try requireEqual(outcome.assigned.map(\.job.id), [], "jobs to be told of")
            try requireEqual(word.announced.count, 1, "announced jobs")
            try requireEqual(word.revoked, word.announced, "revoked jobs")
            let probe = LeaseProbe(job: word.announced[0], lease: MeshID())
            try requireEqual(try await fixture.beat("w1", leases: [probe]), [.unknown], "standing")
        },
        Case("nothing is announced of a task that was cancelled") { fixture in
            let request = try await fixture.acceptAssigned(fixture.chain)
            try await fixture.settle(task: request.task.id, .cancelled)
            let word = WordToWorkers()
            let outcome = try await fixture.settle(request.jobs[0].job, word)
            try requireEqual(outcome.verdicts, [.stale], "verdict")
            try requireEqual(word.announced, [], "announced jobs")
        },
        Case("nothing is announced where others settle as well") { fixture in
            try await fixture.beat("w1")
            for _ in 0..<8 {
                let strange = Settlement.completion(MeshID(), MeshID())
                try requireEqual(try await fixture.settle(strange).verdicts, [.unknown], "verdict")
            }
            let request = try await fixture.acceptAssigned(fixture.chain)
            let word = WordToWorkers()
            let outcome = try await fixture.settle(request.jobs[0].job, word)
            try requireEqual(word.announced, [], "announced jobs")
            try requireEqual(outcome.assigned.count, 1, "jobs to be told of")
        },
    ]
}

extension Settlement {
    /// The completion of a job that runs.
    fileprivate static func completion(_ job: Job) throws -> Settlement {
        .completion(job.id, try unwrap(job.lease, "the lease"))
    }
}

extension LedgerFixture {
    /// Completes the first job of a chain while its run is known; what comes next is created as claimed by w1.
    ///
    /// On a slow machine the run may be known for too long: then it is done again.
    fileprivate func announcing(
        besides: (Job) async throws -> Void
    ) async throws -> (request: NewTask, word: WordToWorkers, outcome: SettleOutcome) {
        for _ in 0..<20 {
            let (request, word) = (try await acceptAssigned(chain), WordToWorkers())
            try await besides(request.jobs[0].job)
            let outcome = try await settle(request.jobs[0].job, word)
            if !word.announced.isEmpty { return (request, word, outcome) }
        }
        throw ContractViolation("nothing was announced in 20 tries")
    }

    /// Completes a job; what comes next is created as claimed by w1.
    fileprivate func settle(_ job: Job, _ word: WordToWorkers) async throws -> SettleOutcome {
        try await ledger.settle(
            [try .completion(job)],
            tasks: [],
            finishing: LedgerRunFinishing(worker: "w1", word: word)
        )
    }

    /// Accepts a request whose first jobs are created as claimed by w1, which has beaten.
    fileprivate func acceptAssigned(
        _ definition: WorkflowDefinition,
        payload: String = "{\"n\":3}"
    ) async throws -> NewTask {
        try await beat("w1")
        let request = request(definition, payload: payload, worker: "w1")
        try requireEqual(try await ledger.accept([request]), [.created], "acceptance")
        return request
    }
}
