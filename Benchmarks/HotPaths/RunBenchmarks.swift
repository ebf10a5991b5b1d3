// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Benchmark
import MallaTestKit
import Plumbing
import Workflow

/// The workflow engine alone: a chain from its start to its end, and fan-outs.
enum RunBenchmarks {
    static func register() {
        Benchmark("run: a chain of two, all of it", configuration: .init(scalingFactor: .kilo)) { benchmark in
            let engine = RunEngine(definition: try LedgerWorkflows.all().chain)
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { blackHole(try end(engine, payload: EnvelopeBenchmarks.payload)) }
        }
        for count in [1_000, 10_000] {
            Benchmark("run: a fan-out of \(count), all of it") { benchmark in
                let engine = RunEngine(definition: try LedgerWorkflows.all().fanAll)
                let payload = Array(#"{"n":\#(count)}"#.utf8)
                benchmark.startMeasurement()
                for _ in benchmark.scaledIterations { blackHole(try end(engine, payload: payload)) }
            }
        }
    }

    /// Runs a workflow whose handlers answer with their inputs; all items of a stage end in one step.
    private static func end(_ engine: RunEngine, payload: [UInt8]) throws -> Run {
        let now = Timestamp.now
        var (run, effects) = engine.start(payload: payload, at: now)
        var outputs: [Int: StageOutput] = [:]
        while run.state == .running {
            guard case .create(let stage, let seeds)? = effects.first else { throw RunStalled() }
            outputs[stage] = StageOutput(entries: seeds.map { .init(item: $0.item, outcome: .success($0.input)) })
            let events = seeds.map { RunEvent.jobSucceeded(stage: stage, item: $0.item) }
            guard
                case .done(let next, let following) = engine.advance(
                    run,
                    events,
                    payload: payload,
                    outputs: outputs,
                    at: now
                )
            else { throw RunStalled() }
            (run, effects) = (next, following)
        }
        return run
    }

    private struct RunStalled: Error {}
}
