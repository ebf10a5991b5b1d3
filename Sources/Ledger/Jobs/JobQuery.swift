// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// Which jobs to look for; what is nil matches everything.
public struct JobQuery: Sendable, Hashable {
    /// Any of these services.
    public var services: [String]?
    /// Any of these states.
    public var states: [JobState]?
    /// Of this calling service.
    public var ownerService: String?
    /// With this reference of the caller's.
    public var ownerRef: String?
    /// Any of these task types.
    public var taskTypes: [String]?
    /// Of this model profile.
    public var modelProfile: String?
    /// Held, or last held, by this worker: its id, or its name alone.
    public var worker: String?
    /// Of this task.
    public var task: TaskID?
    /// Created at or after.
    public var from: Timestamp?
    /// Created before.
    public var to: Timestamp?
    /// Only jobs older than this one: the last of the page before.
    public var before: JobID?
    /// At most so many.
    public var limit: Int

    /// Makes a query that matches everything.
    public init(limit: Int) {
        self.limit = limit
    }
}
