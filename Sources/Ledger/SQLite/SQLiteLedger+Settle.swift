// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
public import Ledger
public import Plumbing
public import Workflow

extension SQLiteLedger {
    /// Keeps definitions by their hash.
    public func store(definitions: [WorkflowDefinition]) async throws(LedgerError) {
        guard !definitions.isEmpty else { return }
        try await write { db in
            for definition in definitions {
                try db.run(
                    "INSERT INTO definitions (hash, app, method, stored) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    [definition.hash, definition.app, definition.method, definition.stored.blob]
                )
            }
        }
        knownDefinitions.keep(definitions)
    }

    /// Accepts requests.
    public func accept(_ requests: [NewTask]) async throws(LedgerError) -> [NewTask.Acceptance] {
        guard !requests.isEmpty else { return [] }
        let acceptances = try await write { db in
            try requests.map { request -> NewTask.Acceptance in
                let acceptance = try TaskRows.insert(request.task, run: request.run, db)
                guard acceptance == .created else { return acceptance }
                let user = JobRows.user(of: request.task)
                for record in request.jobs {
                    try JobRows.insert(record, user: user, db)
                    try TaskRows.begin(record.job, db)
                }
                for callback in request.callbacks { try CallbackRows.insert(callback, db) }
                return .created
            }
        }
        knownRuns.note(accepted: zip(requests, acceptances).lazy.filter { $0.1 == .created }.map(\.0))
        return acceptances
    }

    /// What became of a request that came before.
    public func earlier(
        app: String,
        user: String,
        request: String,
        fingerprint: [UInt8]
    ) async throws(LedgerError) -> NewTask.Acceptance? {
        try await read { db in
            try TaskRows.earlier(app: app, user: user, request: request, fingerprint: fingerprint, db)
        }
    }

    /// Creates direct jobs.
    @discardableResult
    public func create(_ jobs: [JobRecord]) async throws(LedgerError) -> [JobCreation] {
        guard !jobs.isEmpty else { return [] }
        return try await write { db in
            // One write at a time, so what the look-up does not find nobody else inserts before this one.
            try jobs.map { record in
                if let key = record.job.labels?.dedupKey,
                    let id = try JobRows.find(dedupKey: key, owner: record.job.labels?.ownerService, db)
                {
                    return .existing(id)
                }
                try JobRows.insert(record, db)
                return .created
            }
        }
    }

    /// The jobs that dedup keys stand for.
    public func existing(_ labels: [JobLabels]) async throws(LedgerError) -> [JobID?] {
        try await read { db in
            try labels.map { labels in
                try labels.dedupKey.flatMap { try JobRows.find(dedupKey: $0, owner: labels.ownerService, db) }
            }
        }
    }

    /// Records what happened and advances the runs; those that are known (see ``KnownRuns``) are not read first.
    public func settle(
        _ settlements: [Settlement],
        tasks: [TaskSettlement],
        finishing: any RunFinishing
    ) async throws(LedgerError) -> SettleOutcome {
        guard !settlements.isEmpty || !tasks.isEmpty else { return SettleOutcome() }
        let request = SettleRequest(settlements, tasks: tasks, finishing: finishing)
        let known = request.known(from: knownRuns)
        do throws(LedgerError) {
            return try await settle(request, by: known)
        } catch {
            knownRuns.forget(known.keys)
            guard error.code == .conflict, !known.isEmpty else { throw error }
            return try await settle(request, by: [:])
        }
    }

    private func settle(
        _ request: SettleRequest,
        by known: [JobID: KnownRuns.Entry]
    ) async throws(LedgerError) -> SettleOutcome {
        if request.isCovered(by: known) {
            let rows = SettleRows(known: known, now: clock())
            var settling = request.settling(by: rows, definitions: knownDefinitions)
            // The one writer has enough to do: what needs no row is worked out before it is its turn.
            if case .write(var writes) = settling.next() {
                let announcement = Announcement(&writes, by: rows, among: knownRuns, request.finishing)
                do throws(LedgerError) {
                    let outcome = try await write { [self, writes] db in try perform(writes, rows, db) }
                    knownRuns.note(writes, outcome, of: rows.runs)
                    return outcome
                } catch {
                    announcement.failed(error)
                    throw error
                }
            }
        }
        let (outcome, writes, rows) = try await write { [self] db in
            let rows = try find(request, besides: known, db)
            var settling = request.settling(by: rows, definitions: knownDefinitions)
            while true {
                switch settling.next() {
                case .needs(let needs): try supply(needs, to: &settling, db)
                case .write(let writes):
                    let outcome = try perform(writes, rows, db)
                    let verdicts = writes.outcome.verdicts
                    try JobHistory.note(request.settlements, verdicts, before: rows.jobs, at: rows.now, db)
                    return (outcome, writes, rows)
                }
            }
        }
        knownRuns.note(writes, outcome, of: rows.runs)
        return outcome
    }

    private func find(
        _ request: SettleRequest,
        besides known: [JobID: KnownRuns.Entry],
        _ db: Database
    ) throws -> SettleRows {
        var rows = SettleRows(known: known, now: clock())
        for settlement in request.settlements where rows.jobs[settlement.job] == nil {
            rows.jobs[settlement.job] = try JobRows.find(settlement.job, db)
        }
        let tasks = Set(rows.jobs.values.compactMap(\.task) + request.tasks.map(\.task))
        for id in tasks where rows.runs[id] == nil {
            rows.runs[id] = try TaskRows.find(id, db).map { ($0.task, $0.run) }
        }
        return rows
    }

    private func supply(_ needs: Settling.Needs, to settling: inout Settling, _ db: Database) throws {
        if !needs.definitions.isEmpty {
            var stored: [String: [UInt8]] = [:]
            for hash in needs.definitions {
                stored[hash] =
                    try db.first("SELECT stored FROM definitions WHERE hash = ?", [hash]) { try $0.bytes(0) } ?? nil
            }
            settling.supply(definitions: stored, for: needs.definitions)
            knownDefinitions.keep(settling.learned)
        }
        for id in needs.inputs {
            let input = try db.first("SELECT input FROM jobs WHERE id = ?", [id.blob]) { try $0.bytes(0) } ?? nil
            settling.supply(inputs: [id: input ?? []])
        }
        for (task, stage) in needs.outputs {
            // The lengths lie in the rows' heads, so nothing of the results is read for this.
            let bytes =
                try db.first(
                    "SELECT sum(length(result)) FROM jobs WHERE task = ? AND stage = ? AND state = 'succeeded'",
                    [task.blob, stage]
                ) { $0[0] as Int? } ?? nil
            if let bytes, bytes > settling.maxOutputBytes {
                settling.supply(tooLarge: bytes, task: task, stage: stage)
            } else {
                settling.supply(output: try output(task, stage, db), task: task, stage: stage)
            }
        }
    }

    private func output(_ task: TaskID, _ stage: Int, _ db: Database) throws -> StageOutput {
        // A cancelled item has no entry: it counts as null.
        let sql = """
            SELECT item, state, result, error FROM jobs
            WHERE task = ? AND stage = ? AND state IN ('succeeded', 'failed', 'timed_out')
            """
        let entries = try db.rows(sql, [task.blob, stage]) { row -> StageOutput.Entry in
            guard (row[1] as String?) == JobState.succeeded.rawValue else {
                let error = try row.jobError(3) ?? JobError(.internal, "the job ended without an error")
                return StageOutput.Entry(item: row[0], outcome: .failure(error))
            }
            return StageOutput.Entry(item: row[0], outcome: .success(try row.bytes(2) ?? Array("null".utf8)))
        }
        return StageOutput(entries: entries)
    }

    private func perform(
        _ writes: SettleWrites,
        _ rows: SettleRows,
        _ db: Database
    ) throws -> SettleOutcome {
        var outcome = writes.outcome
        for update in writes.jobs {
            if rows.known[update.job.id] != nil {
                try JobRows.complete(update, db)
            } else {
                try JobRows.update(update.job, result: update.result, usage: update.usage, db)
            }
        }
        // Before the cancellations: a run that ends in the step that made jobs leaves none of them waiting.
        for record in writes.created {
            try JobRows.insert(
                record,
                user: record.job.task.flatMap { rows.runs[$0] }.map { JobRows.user(of: $0.task) },
                db
            )
            try TaskRows.begin(record.job, db)
        }
        for cancellation in writes.cancellations { outcome.cancelled += try cancel(cancellation, at: rows.now, db) }
        let before = Dictionary(rows.known.values.map { ($0.task.id, $0.run) }) { first, _ in first }
        for (task, run) in writes.runs { try TaskRows.advance(task, from: before[task], to: run, db) }
        for task in writes.finished { try TaskRows.finish(task, db) }
        for callback in writes.callbacks { try CallbackRows.insert(callback, db) }
        return outcome
    }

    /// Ends what waits or runs, as ``JobRules`` does it; returns what ran.
    private func cancel(_ cancellation: SettleWrites.Cancellation, at now: Timestamp, _ db: Database) throws -> [Job] {
        let scope = cancellation.stage == nil ? "task = ?" : "task = ? AND stage = ?"
        let values: [any DatabaseValueConvertible] =
            [cancellation.task.blob] + (cancellation.stage.map { [$0] } ?? [])
        let running = try db.rows(
            "SELECT \(JobRows.columns) FROM jobs WHERE \(scope) AND state = 'running' ORDER BY id",
            StatementArguments(values),
            JobRows.job
        )
        try db.run(
            """
            UPDATE jobs SET state = ?, error = ?, error_category = ?, finished_at = ?, run_after = NULL,
                lease_until = NULL
            WHERE \(scope) AND state IN ('waiting', 'running')
            """,
            StatementArguments(
                [
                    cancellation.state.rawValue, cancellation.error.blob, cancellation.error.category.rawValue,
                    now.microseconds,
                ] + values
            )
        )
        let event: JobEvent = cancellation.isDeadline ? .deadlinePassed : .cancelled
        for job in running { try JobHistory.note(event, on: job, at: now, db) }
        return running.compactMap { JobRules.apply(event, to: $0, at: now) }
    }
}
