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
    /// One round trip where everything is known (see ``KnownRuns``), two where rows have to be locked and read, and
    /// more only to read outputs.
    public func settle(
        _ settlements: [Settlement],
        tasks: [TaskSettlement],
        finishing: any RunFinishing
    ) async throws(LedgerError) -> SettleOutcome {
        guard !settlements.isEmpty || !tasks.isEmpty else { return SettleOutcome() }
        let request = SettleRequest(settlements, tasks: tasks, finishing: finishing)
        var known = request.known(from: knownRuns)
        return try await retryingConflicts { () async throws(LedgerError) in
            do throws(LedgerError) {
                return try await settle(request, by: known)
            } catch {
                // Something was not as it is known, or may not be: the next try reads.
                knownRuns.forget(known.keys)
                known = [:]
                throw error
            }
        }
    }

    private func settle(
        _ request: SettleRequest,
        by known: [JobID: KnownRuns.Entry]
    ) async throws(LedgerError) -> SettleOutcome {
        if request.isCovered(by: known), let now = serverClock.withLock({ $0 }).now(askedWithin: .seconds(60)) {
            let rows = SettleRows(known: known, now: now)
            var settling = request.settling(by: rows, definitions: knownDefinitions)
            // What asks for more is settled, with all the others, in a transaction of several steps.
            if case .write(let writes) = settling.next() {
                return try await lease(durable) { [self] connection throws(LedgerError) in
                    try await write(
                        writes,
                        rows,
                        attempts: [:],
                        finishing: request.finishing,
                        endingWith: nil,
                        on: connection
                    )
                }
            }
        }
        return try await transaction { [self] connection throws(LedgerError) in
            let rows = try await lock(request, besides: known, on: connection)
            var settling = request.settling(by: rows, definitions: knownDefinitions)
            while true {
                switch settling.next() {
                case .needs(let needs): try await supply(needs, to: &settling, on: connection)
                case .write(let writes):
                    let attempts = AttemptRecord.ended(
                        by: request.settlements,
                        verdicts: writes.outcome.verdicts,
                        before: rows.jobs,
                        at: rows.now
                    )
                    return try await write(
                        writes,
                        rows,
                        attempts: attempts,
                        finishing: request.finishing,
                        endingWith: .commit,
                        on: connection
                    )
                }
            }
        }
    }

    /// Begins a transaction, locks and reads what is not known, and locks the runs that are: all by their ids.
    private func lock(
        _ request: SettleRequest,
        besides known: [JobID: KnownRuns.Entry],
        on connection: isolated PostgresConnection
    ) async throws(LedgerError) -> SettleRows {
        let tasks = Set(request.tasks.map(\.task))
        let jobIDs = PostgresList(Set(request.settlements.map(\.job).filter { known[$0] == nil }).sorted())
        let taskIDs = PostgresList(tasks.sorted())
        let allTasks = PostgresList(tasks.union(known.values.map(\.task.id)).sorted())
        let locked = try await connection.run(
            [
                PostgresCall(.begin), PostgresCall(Self.lockRuns, [jobIDs, allTasks]),
                PostgresCall(Self.lockJobs, [jobIDs]), PostgresCall(Self.readRuns, [jobIDs, taskIDs]),
                PostgresCall(Self.clock),
            ],
            limit: callLimit
        )
        guard locked.count == 5 else { throw LedgerError(.corrupt, "a lock without an answer") }
        let now = try locked[4].map { row throws(LedgerError) in try row.moment() }.first ?? .now
        var rows = SettleRows(known: known, now: now)
        for job in try locked[2].map(PostgresJobColumns.read) { rows.jobs[job.id] = job }
        let read = try locked[3].map { row throws(LedgerError) in
            (try PostgresTaskColumns.read(&row), try PostgresTaskColumns.readRun(&row))
        }
        for (task, run) in read { rows.runs[task.id] = (task, run) }
        return rows
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
            knownDefinitions.keep(settling.learned)
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
        if let known = knownDefinitions[hash] { return known }
        let rows = try await run(PostgresCall(Self.readDefinitions, [PostgresList([hash])]), on: quick)
        let stored = try rows.map { row throws(LedgerError) in
            _ = try row.text()
            return try row.bytes()
        }
        guard let bytes = stored.first else { return nil }
        do {
            let definition = try WorkflowDefinition(stored: bytes)
            knownDefinitions.keep([definition])
            return definition
        } catch {
            throw LedgerError(.corrupt, "the definition \(hash): \(error)")
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
}
