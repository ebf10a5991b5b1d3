// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
import Plumbing
import Synchronization
public import Workflow

extension PostgresLedger {
    /// Records what happened to jobs and tasks; see ``Settling``.
    ///
    /// Two round trips, and more only to read outputs.
    public func settle(
        _ settlements: [Settlement],
        tasks: [TaskSettlement],
        finishing: any RunFinishing
    ) async throws(LedgerError) -> SettleOutcome {
        guard !settlements.isEmpty || !tasks.isEmpty else { return SettleOutcome() }
        return try await retryingConflicts { () async throws(LedgerError) in
            try await transaction { [self] connection throws(LedgerError) in
                try await settle(settlements, tasks: tasks, finishing: finishing, on: connection)
            }
        }
    }

    private func settle(
        _ settlements: [Settlement],
        tasks: [TaskSettlement],
        finishing: any RunFinishing,
        on connection: isolated PostgresConnection
    ) async throws(LedgerError) -> SettleOutcome {
        let jobIDs = PostgresList(Set(settlements.map(\.job)).sorted())
        let taskIDs = PostgresList(Set(tasks.map(\.task)).sorted())
        let locked = try await connection.run(
            [
                PostgresCall(.begin), PostgresCall(Self.lockRuns, [jobIDs, taskIDs]),
                PostgresCall(Self.lockJobs, [jobIDs]), PostgresCall(Self.readRuns, [jobIDs, taskIDs]),
                PostgresCall(Self.clock),
            ],
            limit: callLimit
        )
        guard locked.count == 5 else { throw LedgerError(.corrupt, "a lock without an answer") }
        var jobs: [JobID: Job] = [:]
        for job in try locked[2].map(PostgresJobColumns.read) { jobs[job.id] = job }
        var runs: [TaskID: (task: TaskRecord, run: Run)] = [:]
        let read = try locked[3].map { row throws(LedgerError) in
            (try PostgresTaskColumns.read(&row), try PostgresTaskColumns.readRun(&row))
        }
        for (task, run) in read { runs[task.id] = (task, run) }
        let now = try locked[4].map { row throws(LedgerError) in try row.moment() }.first ?? .now

        let known = definitions.withLock { cache in
            var known: [String: WorkflowDefinition] = [:]
            for (task, _) in runs.values { known[task.definition] = cache[task.definition] }
            return known
        }
        var settling = Settling(
            settlements: settlements,
            tasks: tasks,
            finishing: finishing,
            now: now,
            jobs: jobs,
            runs: runs,
            definitions: known
        )
        while true {
            switch settling.next() {
            case .needs(let needs): try await supply(needs, to: &settling, on: connection)
            case .write(let writes):
                let attempts = AttemptRecord.ended(
                    by: settlements,
                    verdicts: writes.outcome.verdicts,
                    before: jobs,
                    at: now
                )
                return try await write(writes, attempts: attempts, on: connection)
            }
        }
    }

    private func supply(
        _ needs: Settling.Needs,
        to settling: inout Settling,
        on connection: isolated PostgresConnection
    ) async throws(LedgerError) {
        if !needs.inputs.isEmpty {
            let call = PostgresCall(Self.readInputs, [PostgresList(needs.inputs.sorted())])
            // One that is missing must not be asked for again.
            var inputs = Dictionary(uniqueKeysWithValues: needs.inputs.map { ($0, [UInt8]()) })
            for rows in try await connection.run([call], limit: callLimit) {
                for (id, input) in try rows.map({ row throws(LedgerError) in (try row.id(), try row.bytes()) }) {
                    inputs[id] = input
                }
            }
            settling.supply(inputs: inputs)
        }
        guard !needs.definitions.isEmpty || !needs.outputs.isEmpty else { return }
        let (tasks, stages) = (needs.outputs.map(\.task), needs.outputs.map { Int32(clamping: $0.stage) })
        let rows = try await connection.run(
            [
                PostgresCall(Self.readDefinitions, [PostgresList(needs.definitions.sorted())]),
                PostgresCall(
                    Self.readOutputs,
                    [PostgresList(tasks), PostgresList(stages), Int64(clamping: settling.maxOutputBytes)]
                ),
            ],
            limit: callLimit
        )
        guard rows.count == 2 else { throw LedgerError(.corrupt, "a read without an answer") }
        var stored: [String: [UInt8]] = [:]
        for (hash, bytes) in try rows[0].map({ row throws(LedgerError) in (try row.text(), try row.bytes()) }) {
            stored[hash] = bytes
        }
        if !needs.definitions.isEmpty {
            settling.supply(definitions: stored, for: needs.definitions)
            keep(settling.learned)
        }
        var outputs = needs.outputs.map { _ in (bytes: 0, output: StageOutput(entries: [])) }
        let entries = try rows[1].map { row throws(LedgerError) in
            (try row.int(), try row.int(), try Self.readEntry(&row))
        }
        for (position, bytes, entry) in entries where outputs.indices.contains(position - 1) {
            outputs[position - 1].bytes = bytes
            if let entry { outputs[position - 1].output.entries.append(entry) }
        }
        for (need, (bytes, output)) in zip(needs.outputs, outputs) {
            if bytes > settling.maxOutputBytes {
                settling.supply(tooLarge: bytes, task: need.task, stage: need.stage)
            } else {
                settling.supply(output: output, task: need.task, stage: need.stage)
            }
        }
    }

    /// A definition that was stored.
    public func definition(hash: String) async throws(LedgerError) -> WorkflowDefinition? {
        if let known = definitions.withLock({ $0[hash] }) { return known }
        let rows = try await run(PostgresCall(Self.readDefinitions, [PostgresList([hash])]), on: quick)
        let stored = try rows.map { row throws(LedgerError) in
            _ = try row.text()
            return try row.bytes()
        }
        guard let bytes = stored.first else { return nil }
        do {
            let definition = try WorkflowDefinition(stored: bytes)
            keep([definition])
            return definition
        } catch {
            throw LedgerError(.corrupt, "the definition \(hash): \(error)")
        }
    }

    private func keep(_ learned: [WorkflowDefinition]) {
        definitions.withLock { cache in
            for definition in learned {
                if cache.count >= Self.definitionsKept { cache.removeAll() }
                cache[definition.hash] = definition
            }
        }
    }

    /// Nil where a stage has no such job, or more than may be read.
    private static func readEntry(_ row: inout PostgresRow) throws(LedgerError) -> StageOutput.Entry? {
        guard let code = try row.intIfAny() else { return nil }
        let (state, item) = (try JobState(postgres: code), try row.intIfAny())
        let (result, error) = (try row.bytesIfAny(), try row.bytesIfAny())
        if state == .succeeded { return StageOutput.Entry(item: item, outcome: .success(result ?? Array("null".utf8))) }
        let reason: JobError
        if let error {
            reason = try JobError(stored: error)
        } else {
            reason = JobError(.internal, "it ended as \(state.rawValue)")
        }
        return StageOutput.Entry(item: item, outcome: .failure(reason))
    }

    // MARK: Writing

    private func write(
        _ writes: SettleWrites,
        attempts: [JobID: AttemptRecord],
        on connection: isolated PostgresConnection
    ) async throws(LedgerError) -> SettleOutcome {
        var calls: [PostgresCall] = []
        if !writes.jobs.isEmpty { calls.append(try Self.updateJobs(writes.jobs, attempts)) }
        // New jobs come first: a run that ended in the same step cancels them as well.
        if !writes.created.isEmpty {
            calls.append(PostgresCall(Self.insertJobs, try PostgresJobColumns.parameters(writes.created)))
        }
        let firstCancellation = calls.count
        for cancellation in writes.cancellations {
            let reason = try cancellation.error.stored
            let stage = cancellation.stage.map { Int32(clamping: $0) }
            calls.append(
                stage == nil
                    ? PostgresCall(Self.cancelTask, [cancellation.task, reason, cancellation.state.code])
                    : PostgresCall(Self.cancelStage, [cancellation.task, reason, cancellation.state.code, stage])
            )
        }
        if !writes.runs.isEmpty { calls.append(PostgresCall(Self.updateRuns, Self.runParameters(writes.runs))) }
        if !writes.finished.isEmpty { calls.append(try Self.updateTasks(writes.finished)) }
        if !writes.callbacks.isEmpty {
            calls.append(
                PostgresCall(Self.insertCallbacks, try PostgresCallbackColumns.parameters(writes.callbacks))
            )
        }
        calls.append(PostgresCall(.commit))
        let rows = try await connection.run(calls, limit: callLimit)
        var outcome = writes.outcome
        var neverReady: Set<JobID> = []
        for answer in rows.dropFirst(firstCancellation).prefix(writes.cancellations.count) {
            for job in try answer.map(PostgresJobColumns.read) {
                neverReady.insert(job.id)
                // Only a job that ran keeps a lease.
                if job.lease != nil { outcome.cancelled.append(job) }
            }
        }
        if !neverReady.isEmpty { outcome.ready.removeAll { neverReady.contains($0.id) } }
        return outcome
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
