// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// The workflow engine: `(run, events) -> (run, effects)`, without I/O and without a clock of its own.
public struct RunEngine: Sendable {
    /// What an advance came to.
    public enum Step: Sendable {
        /// The outputs of these stages (by index) are needed: ask again with them.
        case needs(Set<Int>)
        /// The run after the events, and what has to be done.
        case done(Run, [RunEffect])
    }

    /// Judges an input that a stage is about to get; returns what is wrong with it, or nil.
    public typealias InputCheck = @Sendable (_ input: JSON, _ stage: StageDefinition) -> String?

    /// The workflow.
    public let definition: WorkflowDefinition
    let inputCheck: InputCheck?

    /// The most items of one fan-out; more fail the run with a clear error instead of filling the ledger.
    public static let maxItems = 100_000

    /// Makes an engine for one workflow.
    public init(definition: WorkflowDefinition, inputCheck: InputCheck? = nil) {
        self.definition = definition
        self.inputCheck = inputCheck
    }

    /// Starts a run: its first stages' jobs, or its end when there is nothing to run.
    public func start(payload: [UInt8], at now: Timestamp) -> (run: Run, effects: [RunEffect]) {
        let run = Run(stageCount: definition.stages.count)
        switch advance(run, [], payload: payload, outputs: [:], at: now) {
        case .done(let run, let effects): return (run, effects)
        case .needs:
            // A run without events has no stage with jobs, so no output can be asked for.
            return (run, [])
        }
    }

    /// Applies events to a run.
    ///
    /// Each job's end must be passed once; the caller sees to that with the compare-and-set of the job's row.
    ///
    /// - Parameters:
    ///   - payload: the request's payload as JSON.
    ///   - outputs: what earlier stages returned, as far as a former `needs` asked for it.
    public func advance(
        _ run: Run,
        _ events: [RunEvent],
        payload: [UInt8],
        outputs: [Int: StageOutput],
        at now: Timestamp
    ) -> Step {
        guard run.state == .running else { return .done(run, []) }
        var progress = RunProgress(engine: self, run: run, payload: payload, outputs: outputs, now: now)
        for event in events { progress.apply(event) }
        do {
            try progress.startReadyStages()
            try progress.finishIfDone()
        } catch {
            return .needs(error.stages)
        }
        return .done(progress.run, progress.effects)
    }
}

/// Outputs that an advance needs and was not given.
struct MissingOutputs: Error {
    var stages: Set<Int>
}
