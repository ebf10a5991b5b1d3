// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// The rows that a settling transaction goes by: those it locked and read, and those that are known.
struct PostgresSettleRows {
    /// What is written under the guard that it is still so.
    let known: [JobID: KnownRuns.Entry]
    /// The server's clock.
    let now: Timestamp
    var jobs: [JobID: Job]
    var runs: [TaskID: (task: TaskRecord, run: Run)]

    init(known: [JobID: KnownRuns.Entry], now: Timestamp) {
        self.known = known
        self.now = now
        jobs = known.mapValues(\.job)
        runs = [:]
        for entry in known.values { runs[entry.task.id] = (entry.task, entry.run) }
    }
}
