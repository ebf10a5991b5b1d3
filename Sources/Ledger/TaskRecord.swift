// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// A task: one accepted request of a user, and how it ended.
public struct TaskRecord: Sendable {
    /// The task's id.
    public var id: TaskID
    /// The app.
    public var app: String
    /// The method.
    public var method: String
    /// On whose behalf.
    public var user: String
    /// The caller's role, as it came: `user`, `publisher` or `admin`.
    public var role: String
    /// The caller's id of the request; with app and user the idempotency key.
    public var request: String
    /// The SHA-256 of the method and payload, to tell a repeat from a clash.
    public var fingerprint: [UInt8]
    /// The W3C `traceparent` of the request.
    public var trace: String?
    /// Where the client wants its callback; nil for the operator's default.
    public var callbackURL: String?
    /// The payload as JSON.
    public var payload: [UInt8]
    /// The hash of the workflow definition.
    public var definition: String
    /// How its run stands.
    public var state: Run.State = .running
    /// When it was accepted.
    public var createdAt: Timestamp
    /// When it is over, whatever happens.
    public var deadline: Timestamp
    /// When it ended.
    public var finishedAt: Timestamp?
    /// The output as JSON, once it succeeded.
    public var output: [UInt8]?
    /// Why it ended without one.
    public var error: JobError?
    /// The stage to blame for the error.
    public var failedStage: String?

    /// Makes an accepted task.
    public init(
        id: TaskID,
        app: String,
        method: String,
        user: String,
        role: String,
        request: String,
        fingerprint: [UInt8],
        trace: String?,
        callbackURL: String?,
        payload: [UInt8],
        definition: String,
        createdAt: Timestamp,
        deadline: Timestamp
    ) {
        self.id = id
        self.app = app
        self.method = method
        self.user = user
        self.role = role
        self.request = request
        self.fingerprint = fingerprint
        self.trace = trace
        self.callbackURL = callbackURL
        self.payload = payload
        self.definition = definition
        self.createdAt = createdAt
        self.deadline = deadline
    }
}
