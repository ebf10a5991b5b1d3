// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// A request to be accepted: the task, its run after the first step, and the first jobs.
public struct NewTask: Sendable {
    /// The task.
    public var task: TaskRecord
    /// The run after the engine's first step.
    public var run: Run
    /// The first stages' jobs with their inputs.
    public var jobs: [JobRecord]
    /// The callbacks, when the run ended at once (no stage to run).
    public var callbacks: [CallbackRecord]

    /// Makes one.
    public init(task: TaskRecord, run: Run, jobs: [JobRecord], callbacks: [CallbackRecord] = []) {
        self.task = task
        self.run = run
        self.jobs = jobs
        self.callbacks = callbacks
    }

    /// What became of a request.
    public enum Acceptance: Sendable, Hashable {
        /// It was stored.
        case created
        /// The same request was accepted before, as this task.
        case repeated(TaskID)
        /// Another request with the same app, user and request id was accepted before.
        case clash(TaskID)
    }
}
