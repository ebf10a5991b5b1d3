// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Where a job stands; the last four are final and never change.
public enum JobState: String, Sendable, Hashable, CaseIterable {
    /// Created, handed back or waiting for its next try.
    case waiting
    /// Claimed by a worker under a lease.
    case running
    /// Ended with a result.
    case succeeded
    /// Ended with an error.
    case failed
    /// Ended because someone cancelled it or its task.
    case cancelled
    /// Ended because its deadline passed.
    case timedOut = "timed_out"

    /// The status of the job contract: a timed-out job shows as failed.
    public var contractStatus: String {
        switch self {
        case .waiting: "pending"
        case .running: "running"
        case .succeeded: "completed"
        case .failed, .timedOut: "failed"
        case .cancelled: "cancelled"
        }
    }

    /// Whether the state never changes again.
    public var isFinal: Bool { self != .waiting && self != .running }
}
