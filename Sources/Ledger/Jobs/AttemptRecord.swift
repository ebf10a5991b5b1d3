// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// An attempt of a job that did not succeed: who held it, and why it ended.
public struct AttemptRecord: Sendable, Hashable {
    /// Its number, from 1.
    public var attempt: Int
    /// The worker that held it.
    public var worker: String?
    /// When it was claimed.
    public var startedAt: Timestamp?
    /// When it ended.
    public var endedAt: Timestamp
    /// How it ended: `failed`, `handler_died`, `worker_lost`, `timed_out`, `handed_back`, `retried`, `cancelled`.
    public var outcome: String
    /// Why, when there is more to say.
    public var error: JobError?

    /// Makes a record.
    public init(
        attempt: Int,
        worker: String?,
        startedAt: Timestamp?,
        endedAt: Timestamp,
        outcome: String,
        error: JobError? = nil
    ) {
        self.attempt = attempt
        self.worker = worker
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.outcome = outcome
        self.error = error
    }
}
