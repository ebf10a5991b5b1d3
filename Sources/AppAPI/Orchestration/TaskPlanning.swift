// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// Turns an accepted request into the rows of its first transaction; pure.
struct TaskPlanning: Sendable {
    let finishing: any RunFinishing

    /// The task, its run after the first step, and the first jobs; or its end, when there is nothing to run.
    func plan(_ task: TaskRecord, _ definition: WorkflowDefinition) -> NewTask {
        var task = task
        let engine = RunEngine(definition: definition) { [finishing] input, stage in
            finishing.problem(withInput: input, of: stage)
        }
        let (run, effects) = engine.start(payload: task.payload, at: task.createdAt)
        var jobs: [JobRecord] = []
        var callbacks: [CallbackRecord] = []
        for effect in effects {
            switch effect {
            case .create(let stage, let seeds):
                jobs += seeds.map { seed in
                    let job = finishing.job(
                        from: seed,
                        stage: definition.stages[stage],
                        index: stage,
                        task: task,
                        at: task.createdAt
                    )
                    return JobRecord(job: job, input: seed.input)
                }
            case .cancelJobs(let stage):
                jobs.removeAll { $0.job.stage == stage }
            case .finish(let result):
                finish(&task, result)
                jobs = []
                callbacks = finishing.callbacks(for: task, definition: definition, at: task.createdAt)
            }
        }
        return NewTask(task: task, run: run, jobs: jobs, callbacks: callbacks)
    }

    private func finish(_ task: inout TaskRecord, _ result: RunResult) {
        task.finishedAt = task.createdAt
        switch result {
        case .succeeded(let output):
            task.state = .succeeded
            task.output = output
        case .failed(let error, let stage):
            task.state = .failed
            task.error = error
            task.failedStage = stage
        case .cancelled: task.state = .cancelled
        case .timedOut: task.state = .timedOut
        }
    }
}
