// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// Which jobs to count, and by what.
public struct JobStatisticsQuery: Sendable, Hashable {
    /// What the groups are made of.
    public enum Grouping: String, Sendable, Hashable, CaseIterable {
        /// By service.
        case service
        /// By the caller's service.
        case ownerService = "owner_service"
        /// By task type.
        case taskType = "task_type"
        /// By model profile.
        case modelProfile = "model_profile"
        /// By the worker that held them last.
        case worker = "worker_id"
    }

    /// Created at or after; nil for no limit.
    public var from: Timestamp?
    /// Created before; nil for no limit.
    public var to: Timestamp?
    /// What the groups are made of; nil for one group of all, named "".
    public var grouping: Grouping?

    /// Makes a query.
    public init(from: Timestamp? = nil, to: Timestamp? = nil, grouping: Grouping? = nil) {
        self.from = from
        self.to = to
        self.grouping = grouping
    }
}

/// The numbers of one group of jobs.
public struct JobStatistics: Sendable, Hashable {
    /// The group's value; "" for those that have none.
    public var group: String
    /// How many are in each state.
    public var states: [JobState: Int] = [:]
    /// How many failed or timed out with each category.
    public var errors: [JobError.Category: Int] = [:]
    /// How many failures were tried again: the sum of claims beyond the first.
    public var repeats = 0
    /// How long they waited for their last claim, in milliseconds: median and 95th percentile; nil when none was claimed.
    public var waitMilliseconds: (p50: Double, p95: Double)?
    /// How long the succeeded ran, in milliseconds: median and 95th percentile; nil when none succeeded.
    public var runMilliseconds: (p50: Double, p95: Double)?
    /// What they used together.
    public var usage = JobUsage()

    /// Makes empty numbers.
    public init(group: String) {
        self.group = group
    }

    /// Compares the numbers.
    public static func == (left: JobStatistics, right: JobStatistics) -> Bool {
        left.group == right.group && left.states == right.states && left.errors == right.errors
            && left.repeats == right.repeats && left.usage == right.usage
            && left.waitMilliseconds?.p50 == right.waitMilliseconds?.p50
            && left.waitMilliseconds?.p95 == right.waitMilliseconds?.p95
            && left.runMilliseconds?.p50 == right.runMilliseconds?.p50
            && left.runMilliseconds?.p95 == right.runMilliseconds?.p95
    }

    /// Hashes the group.
    public func hash(into hasher: inout Hasher) { hasher.combine(group) }
}
