// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// What can happen to a job that its row must judge; see design.md, "The life of a job".
///
/// Claims, hand-backs and the reaper are set operations of the ledger; ``JobRules`` holds their rules as well.
public enum JobEvent: Sendable, Hashable {
    /// A worker takes it under a fresh lease.
    case claimed(lease: LeaseID, worker: String)
    /// The handler returned; the result travels beside the event.
    case completed(lease: LeaseID)
    /// The handler failed.
    case failed(lease: LeaseID, JobError)
    /// The worker gives it back unstarted or interrupted: drain, no slot.
    case handedBack(lease: LeaseID)
    /// The handler's process died under it.
    case handlerDied(lease: LeaseID, JobError)
    /// Its worker's beat is too old.
    case orphaned(lease: LeaseID)
    /// One attempt took longer than the stage allows.
    case attemptTimedOut
    /// The deadline of its task passed.
    case deadlinePassed
    /// Someone cancelled it or its task, or its stage no longer needs it.
    case cancelled
    /// Someone wants it run again: at once when it waits, elsewhere when it runs, anew when it failed.
    ///
    /// A job of a task that has ended stays as it is: its run has counted it.
    case retried
}
