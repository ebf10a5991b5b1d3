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

    /// The most jobs that are announced at once: the commit waits until they are on their way.
    private static let most = 8

    private let finishing: any RunFinishing
    private let jobs: [JobRecord]

    /// Announces what may be, and takes it out of what is to be told after the commit.
    ///
    /// - Parameters:
    ///   - rows: what the writes were worked out from: rows that are locked, or known for a moment only.
    ///   - runs: those that the ledger knows. Where another process may get a job's completion nothing is announced: it
    ///     would look for the job before it is there.
    public init(
        _ writes: inout SettleWrites,
        by rows: SettleRows,
        among runs: KnownRuns,
        _ finishing: any RunFinishing
    ) {
        self.finishing = finishing
        let sure = writes.outcome.assigned.isEmpty || !runs.isAlone ? [] : Self.sure(writes, by: rows)
        jobs = sure.isEmpty ? [] : finishing.announce(sure)
        let told = Set(jobs.map(\.job.id))
        writes.outcome.assigned.removeAll { told.contains($0.job.id) }
    }

    /// Revokes it when the transaction did not take place for sure; of one that got no answer nobody can tell.
    public func failed(_ error: LedgerError) {
        guard !jobs.isEmpty, error.code != .unavailable, error.code != .timeout else { return }
        finishing.revoke(jobs)
    }

    /// The jobs that come to be unless something fails, or ended their task or its job unheard within the last moment.
    ///
    /// Known runs are written under one guard, so one that is not as it is known fails all that is written beside it.
    private static func sure(_ writes: SettleWrites, by rows: SettleRows) -> [JobRecord] {
        guard writes.outcome.assigned.count <= most else { return [] }
        if let known = rows.known.values.first {
            guard rows.jobs.count == 1, .now - known.since < trust else { return [] }
        }
        let ending = Set(writes.cancellations.filter { $0.stage == nil }.map(\.task))
        return writes.outcome.assigned.filter { record in record.job.task.map { !ending.contains($0) } ?? false }
    }
}
