// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Workflow

/// One attempt in the hands of a ``JobFeed``.
struct FeedJob: Sendable {
    /// The job's id as the handler sees it.
    let id: String
    /// The lease as the handler sees it.
    let lease: String
    /// The job as the handler gets it, JSON text.
    let body: [UInt8]
    /// Where its outcome goes.
    let answer: OneShot<HandlerOutcome>
    /// Where its progress and partial output go.
    let context: any HandlerContext
    /// Whether its handler may begin.
    let permit: BeginPermit
    /// When it came in.
    let since: ContinuousClock.Instant
    /// The process that runs it; nil while it waits.
    var process: String?
    /// Whether the answer that carried it has been sent.
    var isDelivered = false
    /// Whether it was asked to stop.
    var isStopping = false
    /// Whether the ledger is being asked if it may begin.
    var isAsking = false

    init(_ work: HandlerWork, context: any HandlerContext, answer: OneShot<HandlerOutcome>) {
        id = work.job.id.description
        lease = work.job.lease?.description ?? ""
        body = Self.json(work, id, lease)
        self.answer = answer
        self.context = context
        permit = work.permit
        since = .now
    }

    private static func json(_ work: HandlerWork, _ id: String, _ lease: String) -> [UInt8] {
        // Ids, numbers and a checked `traceparent` need no escapes; the input is JSON text already.
        var text = "{\"id\":\"\(id)\",\"attempt\":\(work.job.attempt)"
        if !lease.isEmpty { text += ",\"lease\":\"\(lease)\"" }
        if let deadline = work.job.deadline { text += ",\"deadline\":\(deadline.microseconds / 1000)" }
        if let trace = work.trace, trace.utf8.allSatisfy({ isTraceByte($0) }) {
            text += ",\"traceparent\":\"\(trace)\""
        }
        var bytes = Array(text.utf8)
        // Where the handler may put files: the RunPod package's uploads take it from here.
        if let storage = work.job.labels?.storage { bytes += Array(",\"s3Config\":".utf8) + storage.bytes }
        bytes += Array(",\"input\":".utf8)
        bytes.reserveCapacity(bytes.count + work.input.count + 1)
        bytes += work.input.isEmpty ? Array("null".utf8) : work.input
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    private static func isTraceByte(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
