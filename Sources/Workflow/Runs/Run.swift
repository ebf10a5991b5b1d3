// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// A workflow under way: one small row, whatever the fan-out; the results lie with the jobs.
public struct Run: Sendable, Hashable {
    /// Where a stage stands.
    public enum StageStatus: String, Sendable, Hashable {
        /// Waits for other stages.
        case pending
        /// Has jobs under way.
        case running
        /// Ended well; its output may be referenced.
        case succeeded
        /// Ended badly.
        case failed
        /// Its `when` did not hold; its output is null.
        case skipped
        /// Was under way when the run ended.
        case cancelled
    }

    /// A stage's counters; a join moves them in O(1) per job.
    public struct Stage: Sendable, Hashable {
        /// Where it stands.
        public var status: StageStatus = .pending
        /// How many jobs it has; 0 until it starts.
        public var total = 0
        /// How many of them succeeded.
        public var succeeded = 0
        /// How many of them failed, were cancelled or timed out.
        public var failed = 0
        /// When its jobs were created.
        public var startedAt: Timestamp?
        /// When it ended.
        public var finishedAt: Timestamp?

        /// Makes a stage that waits.
        public init() {}
    }

    /// How a run ended or that it has not; the last four are final.
    public enum State: String, Sendable, Hashable {
        /// Under way.
        case running
        /// Ended with an output.
        case succeeded
        /// A stage failed.
        case failed
        /// Someone cancelled it.
        case cancelled
        /// Its deadline passed.
        case timedOut = "timed_out"
    }

    /// How it stands.
    public var state: State = .running
    /// The stages, in the definition's order.
    public var stages: [Stage]

    /// Makes a run in which every stage waits.
    public init(stageCount: Int) {
        stages = Array(repeating: Stage(), count: stageCount)
    }
}
