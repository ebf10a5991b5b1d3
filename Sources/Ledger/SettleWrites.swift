// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// What a settling transaction has to write, in this order.
public struct SettleWrites: Sendable {
    /// A job's row after its event: state, counters, lease and times; and the result when it succeeded.
    public struct JobUpdate: Sendable {
        /// The job as it is after.
        public var job: Job
        /// The result as JSON, when it has just succeeded.
        public var result: [UInt8]?
        /// What is known of its use, as JSON.
        public var usage: [UInt8]?
    }

    /// Jobs to end that no settlement names: all that wait or run, of a task or of one of its stages.
    public struct Cancellation: Sendable, Hashable {
        /// The task.
        public var task: TaskID
        /// The stage, or nil for all.
        public var stage: Int?
        /// Whether they end because the task's deadline passed: `timed_out` instead of `cancelled`.
        public var isDeadline = false

        /// What their rows become.
        public var state: JobState { isDeadline ? .timedOut : .cancelled }

        /// What their rows say of it.
        public var error: JobError {
            isDeadline
                ? JobError(.timeout, "the task's deadline passed", isFinal: true) : JobError(.cancelled, "cancelled")
        }
    }

    /// Rows to update: locked, judged, so without further guard.
    public var jobs: [JobUpdate] = []
    /// Jobs to insert.
    public var created: [JobRecord] = []
    /// Jobs to end (state, error and `finishedAt` set) after `jobs` were updated and `created` inserted; those that ran
    /// go into ``SettleOutcome/cancelled``.
    public var cancellations: [Cancellation] = []
    /// Runs to update.
    public var runs: [(task: TaskID, run: Run)] = []
    /// Tasks to update: state, output, error, failed stage and `finishedAt`.
    public var finished: [TaskRecord] = []
    /// Callbacks to insert.
    public var callbacks: [CallbackRecord] = []
    /// What the transaction comes to, but for ``SettleOutcome/cancelled``.
    public var outcome = SettleOutcome()
}
