// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// A callback in the outbox: frozen bytes for one receiver, and how its delivery stands.
public struct CallbackRecord: Sendable {
    /// How a delivery stands.
    public enum State: String, Sendable, Hashable {
        /// To be sent, or to be sent again.
        case pending
        /// Answered with 2xx.
        case delivered
        /// All attempts failed, or the receiver answered 410.
        case abandoned
    }

    /// The app of a direct job's webhook, whose `task` is the job's id; no app can be named so.
    public static let directApp = "@jobs"

    /// The callback's id: the `webhook-id` of every attempt.
    public var id: MeshID
    /// The task it tells of.
    public var task: TaskID
    /// The app of the task.
    public var app: String
    /// The receiver.
    public var url: String
    /// Whether the receiver is the operator's own (`MARKETPLACE_CALLBACK`), hence exempt from the network rules.
    public var isTrusted: Bool
    /// The headers that every attempt carries, without credentials and signatures: name and value.
    public var headers: [(name: String, value: String)]
    /// The frozen body.
    public var body: [UInt8]
    /// How it stands.
    public var state: State = .pending
    /// How many attempts were made.
    public var attempts = 0
    /// When the next attempt is due; while one is under way, when another process may take it over.
    public var dueAt: Timestamp
    /// When it was written.
    public var createdAt: Timestamp

    /// Makes a callback that is due at `dueAt`.
    public init(
        id: MeshID,
        task: TaskID,
        app: String,
        url: String,
        isTrusted: Bool,
        headers: [(name: String, value: String)],
        body: [UInt8],
        dueAt: Timestamp,
        createdAt: Timestamp
    ) {
        self.id = id
        self.task = task
        self.app = app
        self.url = url
        self.isTrusted = isTrusted
        self.headers = headers
        self.body = body
        self.dueAt = dueAt
        self.createdAt = createdAt
    }
}

/// One attempt to deliver a callback.
public struct CallbackAttempt: Sendable, Hashable {
    /// The callback.
    public var callback: MeshID
    /// The attempt's number, from 1.
    public var number: Int
    /// When it began.
    public var startedAt: Timestamp
    /// How long it took.
    public var duration: Duration
    /// The receiver's HTTP status, when it answered.
    public var status: Int?
    /// What went wrong, when it was not delivered.
    public var error: String?

    /// Makes an attempt.
    public init(
        callback: MeshID,
        number: Int,
        startedAt: Timestamp,
        duration: Duration,
        status: Int?,
        error: String?
    ) {
        self.callback = callback
        self.number = number
        self.startedAt = startedAt
        self.duration = duration
        self.status = status
        self.error = error
    }
}
