// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// What a worker says of a job that it ran: the event under its lease, and the result.
///
/// As a message: one line of JSON (the head), a line feed, then the result's bytes as they are. A large result lies in
/// the media store instead; the head says where, and whoever settles the completion fetches it first.
public struct Completion: Sendable, Hashable {
    /// The job.
    public var job: JobID
    /// The task whose run it belongs to; nil for a direct job.
    public var task: TaskID?
    /// The lease it ran under.
    public var lease: LeaseID
    /// How it ended; nil for a success.
    public var failure: Failure?
    /// The result as JSON; empty for a failure, and for a result that lies in the media store.
    public var result: [UInt8]
    /// Where a result lies that is too large to travel; nil for one that travels, and for a failure.
    public var storedResult: StoredResult?
    /// How long the handler ran, in milliseconds.
    public var runMilliseconds: Int
    /// What is known of its use.
    public var usage: JobUsage?

    /// The largest result in bytes that a job may have; the rest goes to the media store by the handler's own hand.
    public static let maxResultSize = 16 << 20

    /// The largest result in bytes that travels in the message itself; a larger one goes to the media store.
    public static let inlineLimit = 256 << 10

    /// How many lists and objects of a result may lie within each other: templates of workflows put it into others.
    public static let maxResultDepth = 100

    /// Where a large result is stored: under its lease, so that no stale attempt writes over the one that counts.
    public static func mediaKey(of lease: LeaseID) -> String { "derived/\(lease)/result.json" }

    /// A result that lies in the media store.
    public struct StoredResult: Sendable, Hashable {
        /// The media's reference, `s3://bucket/key`.
        public var reference: String
        /// Its size in bytes.
        public var size: Int

        /// Makes one.
        public init(reference: String, size: Int) {
            self.reference = reference
            self.size = size
        }
    }

    /// A failure, and whether the handler's process died of it.
    public struct Failure: Sendable, Hashable {
        /// Why it failed.
        public var error: JobError
        /// Whether the handler's process died.
        public var handlerDied: Bool

        /// Makes a failure.
        public init(_ error: JobError, handlerDied: Bool = false) {
            self.error = error
            self.handlerDied = handlerDied
        }
    }

    /// Makes a completion.
    public init(
        job: JobID,
        task: TaskID? = nil,
        lease: LeaseID,
        failure: Failure?,
        result: [UInt8],
        storedResult: StoredResult? = nil,
        runMilliseconds: Int,
        usage: JobUsage? = nil
    ) {
        self.job = job
        self.task = task
        self.lease = lease
        self.failure = failure
        self.result = result
        self.storedResult = storedResult
        self.runMilliseconds = runMilliseconds
        self.usage = usage
    }

    /// The event for the job's row.
    public var event: JobEvent {
        guard let failure else { return .completed(lease: lease) }
        return failure.handlerDied
            ? .handlerDied(lease: lease, failure.error) : .failed(lease: lease, failure.error)
    }

    /// What a body begins with whose task can be told at a glance.
    private static let beginning = Array(#"{"task":""#.utf8)

    /// The task that a message is about, read off its first bytes without parsing it; nil where they don't tell.
    public static func task(ofBody body: [UInt8]) -> TaskID? {
        guard body.starts(with: beginning) else { return nil }
        return MeshID(String(decoding: body.dropFirst(beginning.count).prefix(36), as: UTF8.self))
    }

    /// The message's body; the task comes first, see ``task(ofBody:)``.
    public var body: [UInt8] {
        var head = JSONObject()
        if let task { head["task"] = .string(task.description) }
        head["job"] = .string(job.description)
        head["lease"] = .string(lease.description)
        head["ms"] = .number(JSONNumber(runMilliseconds))
        if let usage, !usage.isEmpty { head["usage"] = usage.json }
        if let failure {
            head["error"] = failure.error.json
            head["died"] = .bool(failure.handlerDied)
        }
        if let storedResult {
            head["resultMedia"] = .string(storedResult.reference)
            head["resultSize"] = .number(JSONNumber(storedResult.size))
        }
        return MessageForm.body(.object(head), [result])
    }

    /// Reads a message's body.
    ///
    /// - Throws: ``EnvelopeError`` when it is not a completion.
    public init(body: [UInt8]) throws(EnvelopeError) {
        let (head, rest) = try MessageForm.split(body)
        guard let job = head["job"]?.string.flatMap({ MeshID($0) }) else { throw EnvelopeError("no job id") }
        guard let lease = head["lease"]?.string.flatMap({ MeshID($0) }) else { throw EnvelopeError("no lease id") }
        let failure = try head["error"].map { json throws(EnvelopeError) in
            guard let error = JobError(json: json) else { throw EnvelopeError("the error can't be read") }
            return Failure(error, handlerDied: head["died"]?.bool ?? false)
        }
        let stored = try head["resultMedia"].map { json throws(EnvelopeError) in
            guard let reference = json.string, let size = head["resultSize"]?.int, size >= 0 else {
                throw EnvelopeError("the place of the result can't be read")
            }
            return StoredResult(reference: reference, size: size)
        }
        let usage = head["usage"].map { JobUsage(json: $0) }
        self.init(
            job: job,
            task: try head["task"].map { json throws(EnvelopeError) in
                guard let task = json.string.flatMap({ MeshID($0) }) else { throw EnvelopeError("no task id") }
                return task
            },
            lease: lease,
            failure: failure,
            result: Array(rest),
            storedResult: stored,
            runMilliseconds: head["ms"]?.int ?? 0,
            usage: usage?.isEmpty == true ? nil : usage
        )
    }
}

/// Why a message can't be read.
public struct EnvelopeError: Error, Sendable, CustomStringConvertible {
    /// What is wrong.
    public let description: String

    /// Makes an error.
    public init(_ description: String) {
        self.description = description
    }
}

extension JobError {
    /// The error as JSON: `category`, `message`, `final`, and `field` when there is one.
    public var json: JSON {
        let json: JSON = ["category": .string(category.rawValue), "message": .string(message), "final": .bool(isFinal)]
        return field.map { json.adding("field", .string($0)) } ?? json
    }

    /// Reads an error from JSON; nil without a known category.
    public init?(json: JSON) {
        guard let category = json["category"]?.string.flatMap({ Category(rawValue: $0) }) else { return nil }
        self.init(
            category,
            json["message"]?.string ?? "",
            isFinal: json["final"]?.bool,
            field: json["field"]?.string
        )
    }
}

extension JSON {
    /// A copy of an object with one more member.
    public func adding(_ name: String, _ value: JSON) -> JSON {
        guard case .object(var object) = self else { return self }
        object[name] = value
        return .object(object)
    }
}
