// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What a user or a token may have: nil is no limit.
public struct Allowance: Sendable, Hashable {
    /// The share of a service beside others' shares, 1 being usual; a token has none.
    public var weight: Double?
    /// Requests per second, in the long run.
    public var requestsPerSecond: Double?
    /// How many requests may come at once; as many as ``requestsPerSecond`` when nil.
    public var burst: Int?
    /// Jobs that may wait at one time.
    public var waitingJobs: Int?
    /// Jobs that may run at one time; while so many do, no new ones are taken.
    public var runningJobs: Int?

    /// Makes an allowance without limits.
    public init() {}

    /// What is not set here is as in `other`.
    func filled(from other: Allowance) -> Allowance {
        var filled = self
        filled.weight = weight ?? other.weight
        // A burst belongs to the rate beside which it was written.
        if requestsPerSecond == nil {
            (filled.requestsPerSecond, filled.burst) = (other.requestsPerSecond, other.burst)
        }
        filled.waitingJobs = waitingJobs ?? other.waitingJobs
        filled.runningJobs = runningJobs ?? other.runningJobs
        return filled
    }
}
