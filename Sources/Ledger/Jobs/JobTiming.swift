// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// How one job that ended fared: what waits are foreseen by.
public struct JobTiming: Sendable, Hashable {
    /// How long its last attempt ran.
    public var run: Duration
    /// When it ended.
    public var finishedAt: Timestamp

    /// Makes one.
    public init(run: Duration, finishedAt: Timestamp) {
        self.run = run
        self.finishedAt = finishedAt
    }
}
