// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// Something that happened to a job and is to be recorded, with the advance of its run, in one transaction.
public struct Settlement: Sendable {
    /// The job.
    public var job: JobID
    /// What happened.
    public var event: JobEvent
    /// The result as JSON, when the event is a completion.
    public var result: [UInt8]?
    /// What is known of its use, as JSON.
    public var usage: [UInt8]?

    /// Makes a settlement.
    public init(job: JobID, event: JobEvent, result: [UInt8]? = nil, usage: [UInt8]? = nil) {
        self.job = job
        self.event = event
        self.result = result
        self.usage = usage
    }
}

/// Something that happens to a whole task.
public struct TaskSettlement: Sendable {
    /// The task.
    public var task: TaskID
    /// `cancelled` or `deadlinePassed`.
    public var event: RunEvent

    /// Makes one.
    public init(task: TaskID, event: RunEvent) {
        self.task = task
        self.event = event
    }
}

/// What a settling transaction did.
public struct SettleOutcome: Sendable {
    /// How one settlement ended.
    public enum Verdict: Sendable, Hashable {
        /// The job changed to this state.
        case applied(JobState)
        /// The guard refused it: a stale lease, a final state. Harmless; to be acknowledged.
        case stale
        /// There is no such job.
        case unknown
        /// It can't be recorded, ever: its run's definition is gone or its advance failed. The run was failed instead.
        case broken(String)
    }

    /// A verdict per settlement, in order.
    public var verdicts: [Verdict] = []
    /// The waiting jobs that were created or became due again: to be handed to their services.
    public var ready: [Job] = []
    /// The jobs that were created as claimed by a worker and not announced before, to be sent to it; some may be among
    /// ``cancelled`` as well.
    public var assigned: [JobRecord] = []
    /// The callbacks that were written, with `dueAt` as the caller's advance set it.
    public var callbacks: [CallbackRecord] = []
    /// The tasks that ended.
    public var finished: [TaskRecord] = []
    /// The direct jobs that ended.
    public var ended: [Job] = []
    /// The running jobs that were cancelled, with their leases: for a hint to their workers.
    public var cancelled: [Job] = []

    /// Makes an empty outcome.
    public init() {}
}
