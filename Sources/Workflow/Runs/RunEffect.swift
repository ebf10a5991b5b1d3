// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What has to be done because of a run's events, in the transaction that stores the run.
public enum RunEffect: Sendable, Hashable {
    /// Create a stage's jobs: one for a stage without fan-out (`item` nil), else one per element.
    case create(stage: Int, [JobSeed])
    /// Cancel what is left of a stage's jobs: its join no longer needs them, or has already failed.
    case cancelJobs(stage: Int)
    /// The run has ended: record the result, and cancel whatever of its jobs is left.
    case finish(RunResult)
}

/// A job as the engine asks for it; ids, deadlines and ranks are its caller's.
public struct JobSeed: Sendable, Hashable {
    /// The position in the fan-out, or nil.
    public var item: Int?
    /// The input as JSON.
    public var input: [UInt8]

    /// Makes a seed.
    public init(item: Int?, input: [UInt8]) {
        self.item = item
        self.input = input
    }
}

/// How a run ended.
public enum RunResult: Sendable, Hashable {
    /// With an output, as JSON: the rendered `data` of the definition's output.
    case succeeded([UInt8])
    /// With an error and the name of the stage to blame, when it was one.
    case failed(JobError, stage: String?)
    /// Cancelled by someone.
    case cancelled
    /// The deadline passed.
    case timedOut
}
