// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What waits and runs for one user, over all services: what quotas are held against.
public struct UserLoad: Sendable, Hashable {
    /// The user, as jobs name it: ``JobLabels/user``, or `app/user` of a task's jobs.
    public var user: String
    /// Jobs that wait, due or not.
    public var waiting: Int
    /// Jobs that run.
    public var running: Int

    /// Makes a load.
    public init(user: String, waiting: Int = 0, running: Int = 0) {
        self.user = user
        self.waiting = waiting
        self.running = running
    }
}
