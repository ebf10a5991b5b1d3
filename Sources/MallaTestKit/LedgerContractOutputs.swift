// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// What runs ask for, with room for no more than 100 bytes of results.
private struct TightFinishing: RunFinishing {
    var maxOutputBytes: Int { 100 }

    func job(from seed: JobSeed, stage: StageDefinition, index: Int, task: TaskRecord, at now: Timestamp) -> Job {
        LedgerRunFinishing().job(from: seed, stage: stage, index: index, task: task, at: now)
    }

    func callbacks(for task: TaskRecord, definition: WorkflowDefinition?, at now: Timestamp) -> [CallbackRecord] {
        LedgerRunFinishing().callbacks(for: task, definition: definition, at: now)
    }
}

extension LedgerContract {
    /// Runs a fan-out whose items return so many bytes; `batch` of them are settled in one transaction.
    private static func view(_ fixture: LedgerFixture, _ sizes: [Int], batch: Int) async throws -> TaskView {
        let task = try await fixture.accept(fixture.fanAll, payload: "{\"n\":\(sizes.count)}")
        while true {
            let claimed = try await fixture.claim(batch)
            if claimed.isEmpty { return try await fixture.view(task) }
            let settlements = claimed.map { job, lease in
                let size = sizes[job.item ?? 0]
                return Settlement.completion(job.id, lease, "\"" + String(repeating: "x", count: size - 2) + "\"")
            }
            let finishing = TightFinishing()
            let outcome = try await fixture.ledger.settle(settlements, tasks: [], finishing: finishing)
            try require(!outcome.verdicts.contains { $0 == .stale || $0 == .unknown }, "\(outcome.verdicts)")
        }
    }

    static let outputCases = [
        Case("results that are too large together fail the run instead of being read") { fixture in
            // Too much with the transaction's own results, with those of earlier ones, and with either alone.
            for (sizes, batch) in [([40, 41, 20], 1), ([60, 41, 20], 1), ([60, 41, 20], 2), ([40, 41, 20], 3)] {
                let view = try await view(fixture, sizes, batch: batch)
                try requireEqual(view.task.state, .failed, "state of \(sizes) in batches of \(batch)")
                try requireEqual(view.task.failedStage, "items", "stage to blame")
                let error = try unwrap(view.task.error, "the error")
                try requireEqual(error.category, .invalidInput, "category")
                try require(error.isFinal, "the error is not final")
                try require(error.message.contains("'items' come to \(sizes.reduce(0, +)) bytes"), error.message)
                try requireEqual(view.run.stages.map(\.succeeded), [3], "items counted")
                try requireEqual(try await fixture.ledger.callbacks(of: view.task.id).count, 1, "callbacks")
            }
        },
        Case("results at the limit are read, and those of other tasks do not count") { fixture in
            for batch in [1, 2, 3] {
                let view = try await view(fixture, [40, 40, 20], batch: batch)
                try requireEqual(view.task.state, .succeeded, "state in batches of \(batch)")
                try requireEqual(view.task.output?.count, 100 + "{\"items\":[,,]}".utf8.count, "bytes of the output")
            }
        },
        Case("one result that is too large to be referenced fails the run as well") { fixture in
            let task = try await fixture.accept(fixture.chain)
            let first = try await fixture.claimOne()
            try await fixture.settle(.completion(first.job.id, first.lease, "{\"y\":2}"))
            let second = try await fixture.claimOne(service: "beta")
            let large = "\"" + String(repeating: "x", count: 200) + "\""
            let outcome = try await fixture.ledger.settle(
                [.completion(second.job.id, second.lease, large)],
                tasks: [],
                finishing: TightFinishing()
            )
            try requireEqual(outcome.finished.map(\.failedStage), ["second"], "the stage that is referred to")
            try requireEqual(try await fixture.view(task).run.stages.map(\.status), [.succeeded, .succeeded], "stages")
        },
    ]
}
