// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// Jobs for one worker that an App API has stored as claimed by it, on the worker's offer (``SlotOffer``).
///
/// As a message: one line of JSON (the sender and the jobs' rows), a line feed, then the inputs one after the other. It
/// may be lost: the worker gives back what the ledger says it holds and it never heard of.
public struct Assignment: Sendable, Hashable {
    /// A job and its input.
    public struct Item: Sendable, Hashable {
        /// The job as its row has it, running under a lease of the worker's; of the back-off and the rank it tells nothing.
        public var job: Job
        /// The input as JSON.
        public var input: [UInt8]

        /// Makes an item.
        public init(job: Job, input: [UInt8]) {
            self.job = job
            self.input = input
        }
    }

    /// Names the App API's process.
    public var sender: String
    /// How many jobs this process has sent to this worker so far, these included.
    public var total: Int
    /// The jobs.
    public var items: [Item]

    /// The largest input in bytes of a job that is assigned; one with more is claimed by whoever takes its ticket.
    public static let maxInput = 16 << 10
    /// How many jobs travel in one message at most.
    public static let maxCount = 32

    /// Makes an assignment.
    public init(sender: String, total: Int, items: [Item]) {
        self.sender = sender
        self.total = total
        self.items = items
    }

    /// The message's body.
    public var body: [UInt8] {
        let head: JSON = [
            "from": .string(sender), "total": .number(JSONNumber(total)),
            "jobs": .array(items.map(\.head)),
        ]
        return MessageForm.body(head, items.map(\.input))
    }

    /// Reads a message's body.
    ///
    /// - Throws: ``EnvelopeError`` when it is not an assignment.
    public init(body: [UInt8]) throws(EnvelopeError) {
        let (head, rest) = try MessageForm.split(body)
        guard let sender = head["from"]?.string, let total = head["total"]?.int, let jobs = head["jobs"]?.array
        else { throw EnvelopeError("no sender, no total or no jobs") }
        let inputs = try MessageForm.cut(rest, into: jobs.map { $0["size"]?.int })
        self.init(sender: sender, total: total, items: [])
        for (json, input) in zip(jobs, inputs) {
            guard let job = Job(assigned: json) else { throw EnvelopeError("a job can't be read") }
            items.append(Item(job: job, input: input))
        }
    }
}

extension Assignment.Item {
    fileprivate var head: JSON {
        var head = JSONObject()
        head["job"] = .string(job.id.description)
        if let task = job.task { head["task"] = .string(task.description) }
        if let app = job.app { head["app"] = .string(app) }
        if let stage = job.stage { head["stage"] = .number(JSONNumber(stage)) }
        if let item = job.item { head["item"] = .number(JSONNumber(item)) }
        head["service"] = .string(job.service)
        if let lease = job.lease { head["lease"] = .string(lease.description) }
        if let worker = job.worker { head["worker"] = .string(worker) }
        head["attempt"] = .number(JSONNumber(job.attempt))
        head["timeout_us"] = .number(JSONNumber(Int(job.timeout.wholeMicroseconds)))
        if let deadline = job.deadline { head["deadline"] = .moment(deadline) }
        head["created"] = .moment(job.createdAt)
        if let startedAt = job.startedAt { head["started"] = .moment(startedAt) }
        if let trace = job.trace { head["traceparent"] = .string(trace) }
        head["size"] = .number(JSONNumber(input.count))
        return .object(head)
    }
}

extension Job {
    /// Reads a row of an assignment; nil when it lacks what a running job has.
    fileprivate init?(assigned json: JSON) {
        guard let id = json["job"]?.string.flatMap({ MeshID($0) }), let service = json["service"]?.string,
            let lease = json["lease"]?.string.flatMap({ MeshID($0) }), let worker = json["worker"]?.string,
            let attempt = json["attempt"]?.int, let timeout = json["timeout_us"]?.int,
            let createdAt = json["created"]?.moment, let startedAt = json["started"]?.moment
        else { return nil }
        self.init(
            id: id,
            task: json["task"]?.string.flatMap { MeshID($0) },
            app: json["app"]?.string,
            stage: json["stage"]?.int,
            item: json["item"]?.int,
            service: service,
            timeout: .microseconds(timeout),
            deadline: json["deadline"]?.moment,
            createdAt: createdAt,
            trace: json["traceparent"]?.string
        )
        state = .running
        (self.lease, self.worker, self.attempt, self.startedAt) = (lease, worker, attempt, startedAt)
    }
}
