// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// What the App API adds when runs advance inside a ledger's transaction: ids, ranks, callbacks.
///
/// Pure, no I/O, but for messages that nobody waits for.
public protocol RunFinishing: Sendable {
    /// Turns the engine's seed into a job of this task: waiting, or claimed for a worker that offers a slot.
    func job(from seed: JobSeed, stage: StageDefinition, index: Int, task: TaskRecord, at now: Timestamp) -> Job

    /// Writes the callbacks of a task that has just ended; `task` already carries state, output and error.
    func callbacks(for task: TaskRecord, definition: WorkflowDefinition?, at now: Timestamp) -> [CallbackRecord]

    /// Writes the callbacks of a direct job that has just ended and whose labels name a webhook; it is as it is after.
    func callbacks(for ended: JobRecord, at now: Timestamp) -> [CallbackRecord]

    /// Tells what is wrong with an input for a stage's service, or nil.
    func problem(withInput input: JSON, of stage: StageDefinition) -> String?

    /// Tells workers of jobs that are about to be created as claimed by them, before the commit (``Announcement``); it
    /// must not wait.
    ///
    /// - Returns: those that it told of; the others are to be told of after the commit.
    func announce(_ jobs: [JobRecord]) -> [JobRecord]

    /// Stops announced jobs that were not created; it must not wait.
    func revoke(_ announced: [JobRecord])

    /// The most bytes that the results of one stage may have together to be referenced; more fail the run.
    var maxOutputBytes: Int { get }
}

extension RunFinishing {
    /// None.
    public func callbacks(for ended: JobRecord, at now: Timestamp) -> [CallbackRecord] { [] }

    /// Tells of none.
    public func announce(_ jobs: [JobRecord]) -> [JobRecord] { [] }

    /// Nothing, as none is announced.
    public func revoke(_ announced: [JobRecord]) {}

    /// Takes every input.
    public func problem(withInput input: JSON, of stage: StageDefinition) -> String? { nil }

    /// 64 MiB: whoever advances a run has them in memory at once.
    public var maxOutputBytes: Int { 64 << 20 }
}
