// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// One advance of a run under way: moves counters, judges joins, starts stages.
struct RunProgress {
    /// The most bytes that the inputs of one stage may have together: a fan-out copies what it refers to into each.
    static let maxInputBytes = 64 << 20

    let engine: RunEngine
    var run: Run
    var effects: [RunEffect] = []
    let now: Timestamp
    private var values: RunValues

    init(engine: RunEngine, run: Run, payload: [UInt8], outputs: [Int: StageOutput], now: Timestamp) {
        self.engine = engine
        self.run = run
        self.now = now
        values = RunValues(definition: engine.definition, payload: payload, outputs: outputs)
    }

    mutating func apply(_ event: RunEvent) {
        guard run.state == .running else { return }
        switch event {
        case .cancelled: end(.cancelled, .cancelled)
        case .deadlinePassed: end(.timedOut, .timedOut)
        case .jobSucceeded(let stage, _):
            guard run.stages.indices.contains(stage) else { return }
            run.stages[stage].succeeded += 1
            judge(stage, error: nil)
        case .jobFailed(let stage, _, let error):
            guard run.stages.indices.contains(stage) else { return }
            run.stages[stage].failed += 1
            judge(stage, error: error)
        }
    }

    /// Decides by its counters whether a stage with jobs has ended.
    private mutating func judge(_ index: Int, error: JobError?) {
        let stage = run.stages[index]
        guard stage.status == .running else { return }
        let hasEnded = stage.succeeded + stage.failed >= stage.total
        switch engine.definition.stages[index].join {
        case .all:
            if stage.failed > 0 { failRun(at: index, error) } else if hasEnded { close(index, .succeeded) }
        case .any:
            if stage.succeeded > 0 {
                close(index, .succeeded)
                if !hasEnded { effects.append(.cancelJobs(stage: index)) }
            } else if hasEnded {
                failRun(at: index, error)
            }
        case .atLeast(let wanted):
            if stage.total - stage.failed < wanted {
                failRun(at: index, error)
            } else if hasEnded {
                close(index, .succeeded)
            }
        }
    }

    private mutating func close(_ index: Int, _ status: Run.StageStatus) {
        run.stages[index].status = status
        run.stages[index].finishedAt = now
    }

    private mutating func failRun(at index: Int, _ error: JobError?) {
        close(index, .failed)
        let stage = engine.definition.stages[index]
        let counts = run.stages[index]
        let reason =
            error ?? JobError(.handler, "only \(counts.succeeded) of \(counts.total) items succeeded", isFinal: true)
        end(.failed, .failed(reason, stage: stage.name))
    }

    private mutating func end(_ state: Run.State, _ result: RunResult) {
        run.state = state
        for index in run.stages.indices where run.stages[index].status == .running {
            close(index, .cancelled)
        }
        effects.append(.finish(result))
    }

    /// Starts every stage whose dependencies have ended; a stage that ends at once lets others start.
    mutating func startReadyStages() throws(MissingOutputs) {
        guard run.state == .running else { return }
        // Stages are sorted by dependency, so one pass meets each after all that it waits for.
        for index in run.stages.indices where run.stages[index].status == .pending {
            let isReady = engine.definition.stages[index].dependencies.allSatisfy {
                run.stages[$0].status == .succeeded || run.stages[$0].status == .skipped
            }
            guard isReady else { continue }
            try start(index)
            guard run.state == .running else { return }
        }
    }

    private mutating func start(_ index: Int) throws(MissingOutputs) {
        let stage = engine.definition.stages[index]
        do {
            try values.require(stage.allReferences, run: run)
            if let condition = stage.when {
                let holds = try condition.holds { root throws(ReferenceError) in try values.value(of: root) }
                guard holds else {
                    run.stages[index].startedAt = now
                    return close(index, .skipped)
                }
            }
            let seeds = try seeds(of: stage)
            open(index, seeds)
        } catch let error as MissingOutputs {
            throw error
        } catch {
            run.stages[index].startedAt = now
            failRun(at: index, inputError(error, stage))
        }
    }

    private func inputError(_ error: any Error, _ stage: StageDefinition) -> JobError {
        if let error = error as? JobError { return error }
        if let error = error as? ReferenceError {
            return JobError(
                .invalidInput,
                "the input of stage '\(stage.name)': \(error.reason)",
                field: error.reference
            )
        }
        return JobError(.internal, "the input of stage '\(stage.name)' can't be made: \(error)", isFinal: true)
    }

    private mutating func open(_ index: Int, _ seeds: [JobSeed]) {
        run.stages[index].status = .running
        run.stages[index].startedAt = now
        run.stages[index].total = seeds.count
        if seeds.isEmpty {
            // Nothing to wait for: `all` holds, a join that wants successes can't get them.
            judge(index, error: nil)
        } else {
            effects.append(.create(stage: index, seeds))
        }
    }

    private mutating func seeds(of stage: StageDefinition) throws -> [JobSeed] {
        guard let items = try items(of: stage) else {
            let seed = JobSeed(item: nil, input: try input(of: stage).bytes)
            try checkSize(seed.input.count, of: stage)
            return [seed]
        }
        guard items.count <= RunEngine.maxItems else {
            throw JobError(
                .invalidInput,
                "stage '\(stage.name)' would fan out over \(items.count) items; at most \(RunEngine.maxItems) are allowed"
            )
        }
        var seeds: [JobSeed] = []
        seeds.reserveCapacity(items.count)
        var size = 0
        for (number, item) in items.enumerated() {
            values.item = (item, number)
            let input = try input(of: stage).bytes
            size += input.count
            try checkSize(size, of: stage)
            seeds.append(JobSeed(item: number, input: input))
        }
        values.item = nil
        return seeds
    }

    private func checkSize(_ bytes: Int, of stage: StageDefinition) throws(JobError) {
        guard bytes > Self.maxInputBytes else { return }
        throw JobError(
            .invalidInput,
            "the inputs of stage '\(stage.name)' would have more than \(Self.maxInputBytes) bytes together; hand over "
                + "media references instead"
        )
    }

    private mutating func input(of stage: StageDefinition) throws -> JSON {
        let input = try stage.input.render { root throws(ReferenceError) in try values.value(of: root) }
        if let problem = engine.inputCheck?(input, stage) {
            throw JobError(
                .invalidInput,
                "the input of stage '\(stage.name)' is not what \(stage.service) takes: \(problem)"
            )
        }
        return input
    }

    /// The elements to fan out over; nil for a stage without fan-out.
    ///
    /// A skipped stage's null counts as no elements.
    private mutating func items(of stage: StageDefinition) throws -> [JSON]? {
        switch stage.forEach {
        case nil: return nil
        case .list(let template):
            let list = try template.render { root throws(ReferenceError) in try values.value(of: root) }
            if list == .null { return [] }
            guard let items = list.array else {
                throw JobError(.invalidInput, "stage '\(stage.name)' fans out over something that is not a list")
            }
            return items
        case .range(let template):
            let count = try template.render { root throws(ReferenceError) in try values.value(of: root) }
            guard let count = count.int, (0...RunEngine.maxItems).contains(count) else {
                throw JobError(
                    .invalidInput,
                    "stage '\(stage.name)' wants a whole number from 0 to \(RunEngine.maxItems) to fan out over"
                )
            }
            return (0..<count).map { .number(JSONNumber($0)) }
        }
    }

    mutating func finishIfDone() throws(MissingOutputs) {
        guard run.state == .running else { return }
        guard run.stages.allSatisfy({ $0.status == .succeeded || $0.status == .skipped }) else { return }
        do {
            try values.require(engine.definition.output.data.references, run: run)
            let data = try engine.definition.output.data.render { root throws(ReferenceError) in
                try values.value(of: root)
            }
            end(.succeeded, .succeeded(data.bytes))
        } catch let error as MissingOutputs {
            throw error
        } catch {
            let reason = (error as? ReferenceError)?.reason ?? "\(error)"
            end(.failed, .failed(JobError(.internal, "the output can't be made: \(reason)", isFinal: true), stage: nil))
        }
    }
}

extension StageDefinition {
    /// Every reference of the stage: of its condition, its fan-out and its input.
    var allReferences: [Reference] {
        var references = input.references
        if let condition = when { references.append(condition.reference) }
        switch forEach {
        case .list(let template), .range(let template): references += template.references
        case nil: break
        }
        return references
    }
}
