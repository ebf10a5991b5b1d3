// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// Judges the settlements of one transaction: pure, shared by both ledgers, so that there is one truth.
///
/// The ledger locks the rows and makes one of these; calls ``next()``, supplies what it needs until it gets the
/// writes; writes them and commits.
public struct Settling {
    /// What to do next.
    public enum Step {
        /// Read these and call the supply methods, then ask again.
        case needs(Needs)
        /// Write this and commit.
        case write(SettleWrites)
    }

    /// What has to be read.
    public struct Needs {
        /// Hashes of definitions.
        public var definitions: Set<String> = []
        /// Stages whose jobs' results and errors are needed: final jobs only, in any order.
        public var outputs: [(task: TaskID, stage: Int)] = []
        /// Direct jobs that end with a webhook: their inputs are needed for it.
        public var inputs: Set<JobID> = []

        var isEmpty: Bool { definitions.isEmpty && outputs.isEmpty && inputs.isEmpty }
    }

    private let finishing: any RunFinishing
    private let now: Timestamp
    private let runs: [TaskID: (task: TaskRecord, run: Run)]
    private var writes = SettleWrites()
    private var events: [TaskID: [RunEvent]] = [:]
    /// What this transaction's own settlements say of stages; the rows do not show it yet.
    private var fresh: [StageKey: [StageOutput.Entry]] = [:]
    private var definitions: [String: Result<WorkflowDefinition, JobError>] = [:]
    private var outputs: [StageKey: StageOutput] = [:]
    /// Direct jobs that ended and whose callers want to be told, with their results.
    private var announced: [SettleWrites.JobUpdate] = []
    private var inputs: [JobID: [UInt8]] = [:]
    /// The bytes of outputs that are too large to be read.
    private var tooLarge: [StageKey: Int] = [:]
    /// The definitions that were supplied and could be read, for the ledger to keep at hand.
    public private(set) var learned: [WorkflowDefinition] = []

    private struct StageKey: Hashable {
        var task: TaskID
        var stage: Int
    }

    /// Judges settlements against the locked rows.
    ///
    /// - Parameters:
    ///   - rows: those of the settlements' jobs and runs, and of `tasks`.
    ///   - definitions: those the ledger has at hand, by hash.
    public init(
        settlements: [Settlement],
        tasks: [TaskSettlement],
        finishing: any RunFinishing,
        rows: SettleRows,
        definitions: [String: WorkflowDefinition] = [:]
    ) {
        self.finishing = finishing
        now = rows.now
        runs = rows.runs
        self.definitions = definitions.mapValues { .success($0) }
        var jobs = rows.jobs
        var updates: [JobID: SettleWrites.JobUpdate] = [:]
        var order: [JobID] = []
        for settlement in settlements {
            guard let job = jobs[settlement.job] else {
                writes.outcome.verdicts.append(.unknown)
                continue
            }
            guard let after = JobRules.apply(settlement.event, to: job, at: now, jitter: .random(in: 0...1)) else {
                writes.outcome.verdicts.append(.stale)
                continue
            }
            jobs[settlement.job] = after
            if updates[settlement.job] == nil { order.append(settlement.job) }
            let result = after.state == .succeeded ? settlement.result ?? Array("null".utf8) : nil
            updates[settlement.job] = .init(job: after, result: result, usage: settlement.usage)
            writes.outcome.verdicts.append(.applied(after.state))
            note(before: job, after: after, result: result)
        }
        for task in tasks { events[task.task, default: []].append(task.event) }
        writes.jobs = order.compactMap { updates[$0] }
        // As they are in the end: one that was retried at once has not ended.
        let ended = writes.jobs.filter { $0.job.task == nil && $0.job.state.isFinal }
        writes.outcome.ended = ended.map(\.job)
        announced = ended.filter { $0.job.labels?.webhook != nil }
    }

    private mutating func note(before: Job, after: Job, result: [UInt8]?) {
        if after.state == .waiting, after.runAfter == nil { writes.outcome.ready.append(after) }
        if before.state == .running, after.state == .cancelled || after.state == .timedOut {
            writes.outcome.cancelled.append(after)
        }
        guard after.state.isFinal, let task = after.task, let stage = after.stage else { return }
        let error = after.error ?? JobError(.internal, "it ended as \(after.state.rawValue)")
        let event: RunEvent =
            after.state == .succeeded
            ? .jobSucceeded(stage: stage, item: after.item) : .jobFailed(stage: stage, item: after.item, error)
        events[task, default: []].append(event)
        let outcome: Result<[UInt8], JobError> = result.map { .success($0) } ?? .failure(error)
        fresh[StageKey(task: task, stage: stage), default: []].append(.init(item: after.item, outcome: outcome))
    }

    /// Gives the stored bytes of definitions that were asked for; a hash that is missing is gone for good.
    public mutating func supply(definitions stored: [String: [UInt8]], for asked: Set<String>) {
        for hash in asked {
            do {
                guard let bytes = stored[hash] else {
                    throw JobError(.internal, "the workflow definition \(hash) is not in the ledger", isFinal: true)
                }
                let definition = try WorkflowDefinition(stored: bytes)
                definitions[hash] = .success(definition)
                learned.append(definition)
            } catch let error as JobError {
                definitions[hash] = .failure(error)
            } catch {
                definitions[hash] = .failure(
                    JobError(.internal, "the workflow definition \(hash) can't be read: \(error)", isFinal: true)
                )
            }
        }
    }

    /// The most bytes that an output may have to be read: see ``supply(tooLarge:task:stage:)``.
    public var maxOutputBytes: Int { finishing.maxOutputBytes }

    /// Gives what the ledger has of a stage's jobs; this transaction's own results are laid over it.
    public mutating func supply(output: StageOutput, task: TaskID, stage: Int) {
        let key = StageKey(task: task, stage: stage)
        let own = fresh[key] ?? []
        let ownItems = Set(own.map(\.item))
        let all = StageOutput(entries: output.entries.filter { !ownItems.contains($0.item) } + own)
        let bytes = all.byteCount
        if bytes > maxOutputBytes { tooLarge[key] = bytes } else { outputs[key] = all }
    }

    /// Says that a stage's results were not read because they have `bytes` together, more than ``maxOutputBytes``.
    public mutating func supply(tooLarge bytes: Int, task: TaskID, stage: Int) {
        let key = StageKey(task: task, stage: stage)
        tooLarge[key] = bytes + StageOutput(entries: fresh[key] ?? []).byteCount
    }

    /// Gives the inputs of jobs that were asked for.
    public mutating func supply(inputs stored: [JobID: [UInt8]]) {
        inputs.merge(stored) { _, new in new }
    }

    /// Tells what to do next.
    public mutating func next() -> Step {
        var needs = Needs()
        needs.inputs = Set(announced.map(\.job.id).filter { inputs[$0] == nil })
        var advanced: [(TaskID, RunAdvance)] = []
        for (task, events) in events.sorted(by: { $0.key < $1.key }) {
            guard let (record, run) = runs[task], run.state == .running else { continue }
            guard let definition = definitions[record.definition] else {
                needs.definitions.insert(record.definition)
                continue
            }
            switch advance(record, run, events, definition, &needs) {
            case nil: continue
            case let step?: advanced.append((task, step))
            }
        }
        guard needs.isEmpty else { return .needs(needs) }
        for (task, advance) in advanced { write(task, advance) }
        for end in announced {
            let input = inputs[end.job.id] ?? []
            let ended = JobRecord(job: end.job, input: input, result: end.result, usage: end.usage)
            let callbacks = finishing.callbacks(for: ended, at: now)
            writes.callbacks += callbacks
            writes.outcome.callbacks += callbacks
        }
        announced = []
        events = [:]
        return .write(writes)
    }

    private typealias RunAdvance = (run: Run, effects: [RunEffect], definition: WorkflowDefinition?)

    private func advance(
        _ record: TaskRecord,
        _ run: Run,
        _ events: [RunEvent],
        _ definition: Result<WorkflowDefinition, JobError>,
        _ needs: inout Needs
    ) -> RunAdvance? {
        switch definition {
        case .failure(let error):
            var run = run
            run.state = .failed
            return (run, [.finish(.failed(error, stage: nil))], nil)
        case .success(let definition):
            let finishing = finishing
            let engine = RunEngine(definition: definition) { input, stage in
                finishing.problem(withInput: input, of: stage)
            }
            let known = knownOutputs(of: record.id, run: run, definition)
            switch engine.advance(run, events, payload: record.payload, outputs: known, at: now) {
            case .done(let run, let effects): return (run, effects, definition)
            case .needs(let stages):
                for index in stages.sorted() {
                    guard let bytes = tooLarge[StageKey(task: record.id, stage: index)] else { continue }
                    let name = definition.stages[index].name
                    let error = JobError.output(of: name, bytes: bytes, limit: maxOutputBytes)
                    return (run.failed(after: events, at: now), [.finish(.failed(error, stage: name))], definition)
                }
                needs.outputs += stages.sorted().map { (record.id, $0) }
                return nil
            }
        }
    }

    /// What need not be read: supplied outputs, and stages all of whose jobs ended in this very transaction.
    private func knownOutputs(of task: TaskID, run: Run, _ definition: WorkflowDefinition) -> [Int: StageOutput] {
        var known: [Int: StageOutput] = [:]
        for index in definition.stages.indices {
            let key = StageKey(task: task, stage: index)
            if let output = outputs[key] {
                known[index] = output
            } else if let own = fresh[key], own.count == run.stages[index].total {
                // One that is too large is asked for like any other, should a reference need it.
                let output = StageOutput(entries: own)
                if output.byteCount <= maxOutputBytes { known[index] = output }
            }
        }
        return known
    }

    private mutating func write(_ id: TaskID, _ advance: RunAdvance) {
        guard let record = runs[id]?.task else { return }
        writes.runs.append((id, advance.run))
        for effect in advance.effects {
            switch effect {
            case .create(let index, let seeds):
                guard let stage = advance.definition?.stages[index] else { continue }
                for seed in seeds {
                    let job = finishing.job(from: seed, stage: stage, index: index, task: record, at: now)
                    let record = JobRecord(job: job, input: seed.input)
                    writes.created.append(record)
                    if job.state == .running {
                        writes.outcome.assigned.append(record)
                    } else {
                        writes.outcome.ready.append(job)
                    }
                }
            case .cancelJobs(let stage):
                writes.cancellations.append(.init(task: id, stage: stage))
            case .finish(let result):
                finish(record, advance, result)
            }
        }
    }

    private mutating func finish(_ record: TaskRecord, _ advance: RunAdvance, _ result: RunResult) {
        var task = record
        task.state = advance.run.state
        task.finishedAt = now
        switch result {
        case .succeeded(let output): task.output = output
        case .failed(let error, let stage):
            task.error = error
            task.failedStage = stage
        case .cancelled: task.error = JobError(.cancelled, "the task was cancelled")
        case .timedOut: task.error = JobError(.timeout, "the task's deadline passed", isFinal: true)
        }
        let callbacks = finishing.callbacks(for: task, definition: advance.definition, at: now)
        writes.finished.append(task)
        writes.callbacks += callbacks
        writes.outcome.finished.append(task)
        writes.outcome.callbacks += callbacks
        let hasJobsLeft = advance.run.stages.contains { $0.succeeded + $0.failed < $0.total }
        if hasJobsLeft || advance.definition == nil {
            writes.cancellations.append(.init(task: task.id, stage: nil, isDeadline: result == .timedOut))
        }
        // The ledger cancels after it has created, so jobs made in this very transaction are caught as well.
    }
}
