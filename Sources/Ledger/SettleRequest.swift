// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// What one call of ``Ledger/settle(_:tasks:finishing:)`` is to settle.
public struct SettleRequest: Sendable {
    /// What happened to jobs.
    public let settlements: [Settlement]
    /// What happened to whole tasks.
    public let tasks: [TaskSettlement]
    /// What the caller adds.
    public let finishing: any RunFinishing

    /// Makes one.
    public init(_ settlements: [Settlement], tasks: [TaskSettlement], finishing: any RunFinishing) {
        self.settlements = settlements
        self.tasks = tasks
        self.finishing = finishing
    }

    /// What need not be read; what happens to whole tasks is rare, and read with everything beside it.
    public func known(from runs: KnownRuns) -> [JobID: KnownRuns.Entry] { tasks.isEmpty ? runs.find(settlements) : [:] }

    /// Whether nothing has to be read.
    public func isCovered(by known: [JobID: KnownRuns.Entry]) -> Bool {
        tasks.isEmpty && known.count == settlements.count
    }

    /// Begins to judge by these rows.
    ///
    /// - Parameter definitions: those the ledger has at hand.
    public func settling(by rows: SettleRows, definitions: KnownDefinitions) -> Settling {
        Settling(
            settlements: settlements,
            tasks: tasks,
            finishing: finishing,
            rows: rows,
            definitions: definitions.find(Set(rows.runs.values.map(\.task.definition)))
        )
    }
}
