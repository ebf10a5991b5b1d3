// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// The jobs whose workers are told of them while the transaction that creates them is being committed.
///
/// A job's way to its worker takes about as long as the commit, and neither waits for the other. Nothing that a worker
/// says of a job counts before its row is there; when it never comes, what the worker did was for nothing, as with any
/// lease that is lost.
public struct Announcement: Sendable {
    /// How long ago the cancel of a task may have been that nobody here has heard of: what a run was then is not gone by.
    ///
    /// A worker goes by the ledger's word for about as long.
    private static let trust: Duration = .milliseconds(500)

    private let finishing: any RunFinishing
    private let jobs: [JobRecord]

    /// Announces what may be, and takes it out of what is to be told after the commit.
    ///
    /// - Parameter rows: what the writes were worked out from: rows that are locked, or known for a moment only.
    public init(_ writes: inout SettleWrites, by rows: SettleRows, _ finishing: any RunFinishing) {
        self.finishing = finishing
        jobs = writes.outcome.assigned.isEmpty ? [] : finishing.announce(Self.sure(writes, by: rows))
        let told = Set(jobs.map(\.job.id))
        writes.outcome.assigned.removeAll { told.contains($0.job.id) }
    }

    /// Revokes it when the transaction did not take place for sure; of one that got no answer nobody can tell.
    public func failed(_ error: LedgerError) {
        guard !jobs.isEmpty, error.code != .unavailable, error.code != .timeout else { return }
        finishing.revoke(jobs)
    }

    /// The jobs with which only a fault can come between, or a cancel of their own task that nobody here has heard of.
    ///
    /// Known runs are written under one guard, so one that is not as it is known fails all that is written beside it.
    private static func sure(_ writes: SettleWrites, by rows: SettleRows) -> [JobRecord] {
        if let known = rows.known.values.first {
            guard rows.jobs.count == 1, .now - known.since < trust else { return [] }
        }
        let ending = Set(writes.cancellations.map(\.task))
        return writes.outcome.assigned.filter { record in record.job.task.map { !ending.contains($0) } ?? false }
    }
}
