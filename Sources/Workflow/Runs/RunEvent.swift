// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What a run is told.
public enum RunEvent: Sendable, Hashable {
    /// A job of a stage reached its final state; `item` is nil for a stage without fan-out.
    ///
    /// The caller passes this once per job: only for a job whose change of state succeeded in the same transaction.
    case jobSucceeded(stage: Int, item: Int?)
    /// A job of a stage ended without a result.
    case jobFailed(stage: Int, item: Int?, JobError)
    /// Someone cancelled the task.
    case cancelled
    /// The task's deadline passed.
    case deadlinePassed
}
