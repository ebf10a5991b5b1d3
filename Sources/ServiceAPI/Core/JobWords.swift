// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// The words of the job contract for the states of jobs.
enum JobWords {
    /// The states that a status of the contract stands for: a timed-out job shows as failed.
    static let states: [String: [JobState]] = [
        "pending": [.waiting], "queued": [.waiting], "running": [.running], "completed": [.succeeded],
        "failed": [.failed, .timedOut], "cancelled": [.cancelled],
    ]
}
