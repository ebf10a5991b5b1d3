// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// How a direct job stands in RunPod's words: the answer of `/status`, the body of a webhook; pure.
///
/// See the RunPod contract, 1.3. Results and inputs go in as the bytes they are: they may be large, and were JSON when
/// they were taken.
public struct RunPodStatus: Sendable {
    /// RunPod's states.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// It waits for a worker.
        case inQueue = "IN_QUEUE"
        /// A worker has it.
        case inProgress = "IN_PROGRESS"
        /// It ended with an output.
        case completed = "COMPLETED"
        /// It ended with an error.
        case failed = "FAILED"
        /// Someone cancelled it.
        case cancelled = "CANCELLED"
        /// It took longer than its policy allows.
        case timedOut = "TIMED_OUT"

        /// The state that shows where a job stands; one whose attempts all ran out of time is `TIMED_OUT`.
        public init(of job: Job) {
            self =
                switch job.state {
                case .waiting: .inQueue
                case .running: .inProgress
                case .succeeded: .completed
                case .failed: job.error?.category == .timeout ? .timedOut : .failed
                case .cancelled: .cancelled
                case .timedOut: .timedOut
                }
        }
    }

    private let job: Job
    private let result: [UInt8]?
    private let usage: JobUsage?
    private let progress: [UInt8]?
    private let input: [UInt8]?

    /// The state.
    public let state: State

    /// Makes the status of a job.
    ///
    /// - Parameters:
    ///   - result: its result as JSON, once it succeeded.
    ///   - usage: what is known of its use; S-CONTRACT's output tells the cost.
    ///   - progress: what its handler told last, as JSON; shown while it runs.
    ///   - input: its input as JSON, for a webhook; nil leaves it out.
    public init(
        _ job: Job,
        result: [UInt8]? = nil,
        usage: JobUsage? = nil,
        progress: [UInt8]? = nil,
        input: [UInt8]? = nil
    ) {
        self.job = job
        self.result = result
        self.usage = usage
        self.progress = progress
        self.input = input
        state = State(of: job)
    }

    /// The status as JSON text: `id` and `status`, and what is known of `delayTime`, `executionTime` (milliseconds),
    /// `output`, `error` and `input`.
    public var bytes: [UInt8] {
        var bytes = Array(#"{"id":"#.utf8) + JSON.string(job.id.description).bytes
        func add(_ name: String, _ value: [UInt8]?) {
            guard let value, !value.isEmpty else { return }
            bytes += Array(",\"\(name)\":".utf8) + value
        }
        add("status", JSON.string(state.rawValue).bytes)
        add("delayTime", milliseconds(delay))
        add("executionTime", milliseconds(execution))
        add("output", output)
        add("error", error.map { JSON.string($0.message).bytes })
        add("input", input)
        return bytes + [UInt8(ascii: "}")]
    }

    /// From its creation to its last claim; one that was never claimed waited until it ended.
    private var delay: Duration? {
        (job.startedAt ?? job.finishedAt).map { $0 - job.createdAt }
    }

    private var execution: Duration? {
        guard let startedAt = job.startedAt, let finishedAt = job.finishedAt else { return nil }
        return finishedAt - startedAt
    }

    private func milliseconds(_ duration: Duration?) -> [UInt8]? {
        duration.map { Array("\(max(0, $0.wholeMilliseconds))".utf8) }
    }

    /// Why it did not succeed; a cancelled job has no error in this dialect.
    private var error: JobError? {
        switch state {
        case .failed, .timedOut: job.error ?? JobError(.internal, "it ended as \(job.state.rawValue)")
        default: nil
        }
    }

    private var output: [UInt8]? {
        switch state {
        case .inProgress: progress
        case .completed: isContract ? contractOutput : result
        case .failed, .timedOut: isContract ? contractFailure : nil
        case .inQueue, .cancelled: nil
        }
    }

    private var isContract: Bool { job.labels?.envelope == .contract }

    /// The result in S-CONTRACT's form; a handler that speaks it itself is not wrapped a second time.
    private var contractOutput: [UInt8] {
        let result = result ?? Array("null".utf8)
        let own = try? JSON(parsing: result, maxDepth: Self.storedDepth).object
        if own?["status"]?.string != nil, own?["output"] ?? own?["error"] != nil { return result }
        let cost = usage?.costUSD.map { cost in
            Array(#","usage":{"cost_usd":"#.utf8) + JSON.number(JSONNumber(cost)).bytes + [UInt8(ascii: "}")]
        }
        let output = own?.names == ["data"] ? result : Array(#"{"data":"#.utf8) + result + [UInt8(ascii: "}")]
        return Array(#"{"status":"completed","output":"#.utf8) + output + (cost ?? []) + [UInt8(ascii: "}")]
    }

    /// Deeper than a handler's result may be.
    private static let storedDepth = 256

    private var contractFailure: [UInt8]? {
        error.map { error in
            let failure: JSON = ["code": .string(error.category.rawValue), "message": .string(error.message)]
            let output: JSON = ["status": "failed", "error": failure]
            return output.bytes
        }
    }
}
