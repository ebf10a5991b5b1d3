// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// The rows that a settling transaction goes by: those it locked and read, and those that are known.
public struct SettleRows: Sendable {
    /// What is written under the guard that it is still so.
    public let known: [JobID: KnownRuns.Entry]
    /// The ledger's clock.
    public let now: Timestamp
    /// The jobs of the settlements.
    public var jobs: [JobID: Job]
    /// The runs of these jobs' tasks, and of the tasks that are settled themselves.
    public var runs: [TaskID: (task: TaskRecord, run: Run)]

    /// Makes the rows that are known already; the others are to be added.
    public init(known: [JobID: KnownRuns.Entry] = [:], now: Timestamp) {
        self.known = known
        self.now = now
        jobs = known.mapValues(\.job)
        runs = [:]
        for entry in known.values { runs[entry.task.id] = (entry.task, entry.run) }
    }
}
