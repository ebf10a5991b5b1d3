// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Plumbing

@testable import Workflow

/// Runs one workflow with a handler that is a pure function, delivering the ends of jobs in a random order.
struct EngineHarness {
    typealias Handler = (_ stage: Int, _ item: Int?, _ input: JSON) -> Result<JSON, JobError>

    struct OpenJob: Hashable {
        var stage: Int
        var item: Int?
        var input: [UInt8]
    }

    let engine: RunEngine
    let payload: [UInt8]
    let handler: Handler
    private(set) var run: Run
    private(set) var results: [RunResult] = []
    private(set) var createdJobs = 0
    private var open: [OpenJob] = []
    private var outputs: [Int: StageOutput] = [:]
    private let now = Timestamp(microseconds: 1_000_000)

    init(_ definition: WorkflowDefinition, payload: JSON, handler: @escaping Handler) {
        engine = RunEngine(definition: definition)
        self.payload = payload.bytes
        self.handler = handler
        let (run, effects) = engine.start(payload: self.payload, at: now)
        self.run = run
        perform(effects)
    }

    /// Ends every job in a random order, up to `batch` at a time, until none is open.
    mutating func finishAll(using generator: inout some RandomNumberGenerator, batch: Int = 3) {
        while !open.isEmpty {
            var events: [RunEvent] = []
            for _ in 0..<Int.random(in: 1...batch, using: &generator) where !open.isEmpty {
                let job = open.remove(at: Int.random(in: 0..<open.count, using: &generator))
                events.append(end(job))
            }
            advance(events)
        }
    }

    /// Advances as a ledger does: supplies what is asked for until nothing more is.
    mutating func advance(_ events: [RunEvent]) {
        var known: [Int: StageOutput] = [:]
        while true {
            switch engine.advance(run, events, payload: payload, outputs: known, at: now) {
            case .done(let after, let effects):
                run = after
                return perform(effects)
            case .needs(let stages):
                let asked = outputs.filter { stages.contains($0.key) && known[$0.key] == nil }
                // Asking for what there is not, or twice, would loop for ever: the test then sees a run without an end.
                guard asked.count == stages.count else { return }
                known.merge(asked) { $1 }
            }
        }
    }

    private mutating func end(_ job: OpenJob) -> RunEvent {
        let input = (try? JSON(parsing: job.input)) ?? .null
        let outcome = handler(job.stage, job.item, input)
        outputs[job.stage, default: StageOutput(entries: [])].entries.append(
            .init(item: job.item, outcome: outcome.map(\.bytes))
        )
        switch outcome {
        case .success: return .jobSucceeded(stage: job.stage, item: job.item)
        case .failure(let error): return .jobFailed(stage: job.stage, item: job.item, error)
        }
    }

    private mutating func perform(_ effects: [RunEffect]) {
        for effect in effects {
            switch effect {
            case .create(let stage, let seeds):
                createdJobs += seeds.count
                open += seeds.map { OpenJob(stage: stage, item: $0.item, input: $0.input) }
            case .cancelJobs(let stage): open.removeAll { $0.stage == stage }
            case .finish(let result):
                results.append(result)
                open = []
            }
        }
    }
}

extension Template {
    /// A template from JSON that a test knows to be right.
    static func make(_ json: JSON) -> Template {
        do { return try Template(json) } catch { preconditionFailure("\(error)") }
    }
}

extension WorkflowDefinition {
    /// A definition for tests; nothing is stored.
    static func make(_ stages: [StageDefinition], output: JSON) -> WorkflowDefinition {
        WorkflowDefinition(
            app: "test",
            method: "run",
            description: "",
            input: nil,
            deadline: .seconds(60),
            stages: stages,
            output: OutputDefinition(type: .metadata, data: .make(output)),
            stored: [],
            hash: "test"
        )
    }
}
