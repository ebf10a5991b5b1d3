// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Dispatch
import Ledger
import MallaTestKit
import Plumbing
import Workflow

/// Holds a settling transaction up between what it has read and what it writes, where it asks for a task's callbacks.
struct HeldFinishing: RunFinishing {
    /// Yields when the transaction has got there.
    let reached: AsyncStream<Void>
    /// Lets it go on; without a signal it does so after 20 s.
    let goOn = DispatchSemaphore(value: 0)
    private let arrival: AsyncStream<Void>.Continuation
    private let usual = LedgerRunFinishing()

    init() {
        (reached, arrival) = AsyncStream.makeStream()
    }

    func job(from seed: JobSeed, stage: StageDefinition, index: Int, task: TaskRecord, at now: Timestamp) -> Job {
        usual.job(from: seed, stage: stage, index: index, task: task, at: now)
    }

    func callbacks(for task: TaskRecord, definition: WorkflowDefinition?, at now: Timestamp) -> [CallbackRecord] {
        arrival.yield()
        _ = goOn.wait(timeout: .now() + 20)
        return usual.callbacks(for: task, definition: definition, at: now)
    }

    func callbacks(for ended: JobRecord, at now: Timestamp) -> [CallbackRecord] {
        usual.callbacks(for: ended, at: now)
    }
}
