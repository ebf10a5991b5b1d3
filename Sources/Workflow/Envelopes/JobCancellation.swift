// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// "Cancel this job of yours": what a Service API posts into the completions queue of the app whose run the job
/// belongs to, for only that app advances its runs.
public struct JobCancellation: Sendable, Hashable {
    /// The job.
    public var job: JobID

    /// Makes one.
    public init(job: JobID) {
        self.job = job
    }

    /// What tells it from the completions in the same queue, at a glance.
    private static let beginning = Array(#"{"cancel":"#.utf8)

    /// The message's body: a head like a ``Completion``'s, and no result.
    public var body: [UInt8] {
        MessageForm.body(["cancel": .string(job.description)])
    }

    /// Reads a message's body; nil when it is something else.
    public init?(body: [UInt8]) {
        guard body.count < 256, body.starts(with: Self.beginning), let head = try? MessageForm.split(body).head,
            let id = head["cancel"]?.string.flatMap({ MeshID($0) })
        else { return nil }
        job = id
    }
}
