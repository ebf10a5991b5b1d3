// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension PostgresLedger {
    /// Writes what settlements come to, in one round trip.
    ///
    /// - Parameters:
    ///   - rows: what the writes were worked out from.
    ///   - attempts: the attempts that ended without success.
    ///   - finishing: announces jobs that are created as claimed.
    ///   - end: what ends the transaction that is open; nil where there is none and the round trip is one.
    func write(
        _ writes: SettleWrites,
        _ rows: SettleRows,
        attempts: [JobID: AttemptRecord],
        finishing: any RunFinishing,
        endingWith end: PostgresStatement?,
        on connection: isolated PostgresConnection
    ) async throws(LedgerError) -> SettleOutcome {
        var writes = writes
        var calls: [PostgresCall] = []
        // First, as runs are locked before jobs: where there is more than what is known, they are locked already.
        if !rows.known.isEmpty { calls.append(Self.advanceKnown(writes, rows.known)) }
        let jobs = writes.jobs.filter { rows.known[$0.job.id] == nil }
        if !jobs.isEmpty { calls.append(try Self.updateJobs(jobs, attempts)) }
        // New jobs come first: a run that ended in the same step cancels them as well.
        if !writes.created.isEmpty {
            calls.append(PostgresCall(Self.insertJobs, try PostgresJobColumns.parameters(writes.created)))
        }
        let firstCancellation = calls.count
        for cancellation in writes.cancellations { calls.append(try Self.cancel(cancellation)) }
        let knownTasks = Set(rows.known.values.map(\.task.id))
        let runs = writes.runs.filter { !knownTasks.contains($0.task) }
        if !runs.isEmpty { calls.append(PostgresCall(Self.updateRuns, Self.runParameters(runs))) }
        if !writes.finished.isEmpty { calls.append(try Self.updateTasks(writes.finished)) }
        if !writes.callbacks.isEmpty {
            calls.append(
                PostgresCall(Self.insertCallbacks, try PostgresCallbackColumns.parameters(writes.callbacks))
            )
        }
        if let end { calls.append(PostgresCall(end)) }
        let announcement = Announcement(&writes, by: rows, among: knownRuns, finishing)
        let answers: [PostgresRows]
        do throws(LedgerError) {
            answers = try await connection.run(calls, limit: callLimit)
        } catch {
            announcement.failed(error)
            throw error
        }
        let outcome = try Self.outcome(
            of: writes,
            cancelled: answers.dropFirst(firstCancellation).prefix(writes.cancellations.count)
        )
        knownRuns.note(writes, outcome, of: rows.runs)
        return outcome
    }

    private static func outcome(
        of writes: SettleWrites,
        cancelled: ArraySlice<PostgresRows>
    ) throws(LedgerError) -> SettleOutcome {
        var outcome = writes.outcome
        var neverReady: Set<JobID> = []
        for answer in cancelled {
            for job in try answer.map(PostgresJobColumns.read) {
                neverReady.insert(job.id)
                // Only a job that ran keeps a lease.
                if job.lease != nil { outcome.cancelled.append(job) }
            }
        }
        if !neverReady.isEmpty { outcome.ready.removeAll { neverReady.contains($0.id) } }
        return outcome
    }

    /// Completes known jobs and advances their runs, all of them or none.
    private static func advanceKnown(_ writes: SettleWrites, _ known: [JobID: KnownRuns.Entry]) -> PostgresCall {
        let after = Dictionary(writes.runs.map { ($0.task, $0.run) }) { first, _ in first }
        let entries = known.values.sorted { $0.task.id < $1.task.id }
        let runs = entries.map { after[$0.task.id] ?? $0.run }
        let updates = writes.jobs.filter { known[$0.job.id] != nil }.sorted { $0.job.id < $1.job.id }
        return PostgresCall(
            advance,
            [
                PostgresList(entries.map(\.task.id)), PostgresList(runs.map(\.state.postgresCode)),
                PostgresList(runs.map(\.encoded)), PostgresList(entries.map(\.run.encoded)),
                PostgresList(updates.map(\.job.id)), PostgresList(optional: updates.map(\.job.lease)),
                PostgresList(optional: updates.map(\.result)), PostgresList(optional: updates.map(\.usage)),
            ]
        )
    }

    private static func cancel(_ cancellation: SettleWrites.Cancellation) throws(LedgerError) -> PostgresCall {
        let reason = try cancellation.error.stored
        guard let stage = cancellation.stage else {
            return PostgresCall(cancelTask, [cancellation.task, reason, cancellation.state.code])
        }
        return PostgresCall(
            cancelStage,
            [cancellation.task, reason, cancellation.state.code, Int32(clamping: stage)]
        )
    }

    private static func updateJobs(
        _ updates: [SettleWrites.JobUpdate],
        _ attempts: [JobID: AttemptRecord]
    ) throws(LedgerError) -> PostgresCall {
        var errors: [[UInt8]?] = []
        for update in updates { errors.append(try update.job.error?.stored) }
        let jobs = updates.map(\.job)
        var parameters: [any PostgresParameter] = [
            PostgresList(jobs.map(\.id)), PostgresList(jobs.map(\.state.code)),
            PostgresList(optional: jobs.map(\.lease)), PostgresList(optional: jobs.map(\.worker)),
            PostgresList(jobs.map { Int32(clamping: $0.failures) }),
            PostgresList(jobs.map { Int32(clamping: $0.deaths) }),
            PostgresList(jobs.map { Int32(clamping: $0.orphaned) }), PostgresList(optional: jobs.map(\.runAfter)),
            PostgresList(optional: jobs.map(\.startedAt)), PostgresList(optional: jobs.map(\.finishedAt)),
            PostgresList(optional: errors), PostgresList(optional: updates.map(\.result)),
            PostgresList(optional: updates.map(\.usage)),
        ]
        if jobs.allSatisfy({ $0.state == .succeeded }), attempts.isEmpty {
            return PostgresCall(updateSucceeded, parameters)
        }
        parameters.append(PostgresList(optional: jobs.map(\.deadline)))
        parameters.append(PostgresList(optional: jobs.map { $0.error?.category.rawValue }))
        parameters.append(PostgresList(optional: jobs.map { job in attempts[job.id].map(StoredAttempt.encode) }))
        return PostgresCall(updateJobs, parameters)
    }

    private static func updateTasks(_ tasks: [TaskRecord]) throws(LedgerError) -> PostgresCall {
        var errors: [[UInt8]?] = []
        for task in tasks { errors.append(try task.error?.stored) }
        return PostgresCall(
            finishTasks,
            [
                PostgresList(tasks.map(\.id)), PostgresList(tasks.map(\.state.postgresCode)),
                PostgresList(optional: tasks.map(\.finishedAt)), PostgresList(optional: tasks.map(\.output)),
                PostgresList(optional: errors), PostgresList(optional: tasks.map(\.failedStage)),
            ]
        )
    }
}
