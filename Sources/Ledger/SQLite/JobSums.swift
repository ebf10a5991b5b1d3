// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
import Ledger
import Plumbing
import Workflow

/// The numbers of one group of jobs while its rows go by.
struct JobSums {
    private var sums = JobStatistics(group: "")
    private var waits: [Int64] = []
    private var runs: [Int64] = []

    /// Counts a row of: group, state, attempt, error category, creation, start, end, usage.
    mutating func add(_ row: Row) throws {
        let state = try row.some((row[1] as String?).flatMap(JobState.init(rawValue:)))
        sums.states[state, default: 0] += 1
        sums.repeats += max(0, try row.some(row[2] as Int?) - 1)
        if state == .failed || state == .timedOut,
            let category = (row[3] as String?).flatMap(JobError.Category.init(rawValue:))
        {
            sums.errors[category, default: 0] += 1
        }
        if let start = row.moment(5) {
            waits.append((start - (try row.some(row.moment(4)))).wholeMicroseconds)
            if state == .succeeded, let end = row.moment(6) { runs.append((end - start).wholeMicroseconds) }
        }
        // What a handler says of its use is its own; what can't be read counts as nothing.
        if let bytes = try row.bytes(7), let json = try? JSON(parsing: bytes) { add(JobUsage(json: json)) }
    }

    private mutating func add(_ usage: JobUsage) {
        func sum(_ left: Int?, _ right: Int?) -> Int? {
            guard let left, let right else { return left ?? right }
            let (value, isTooMuch) = left.addingReportingOverflow(right)
            return isTooMuch ? (right > 0 ? .max : .min) : value
        }
        sums.usage.gpuMilliseconds = sum(sums.usage.gpuMilliseconds, usage.gpuMilliseconds)
        if let cost = usage.costUSD { sums.usage.costUSD = (sums.usage.costUSD ?? 0) + cost }
        sums.usage.promptTokens = sum(sums.usage.promptTokens, usage.promptTokens)
        sums.usage.completionTokens = sum(sums.usage.completionTokens, usage.completionTokens)
    }

    /// The numbers, once all rows are in.
    func statistics(of group: String) -> JobStatistics {
        var sums = sums
        sums.group = group
        sums.waitMilliseconds = Self.percentiles(waits)
        sums.runMilliseconds = Self.percentiles(runs)
        return sums
    }

    private static func percentiles(_ values: [Int64]) -> (p50: Double, p95: Double)? {
        let sorted = values.sorted()
        guard let half = SQLiteLedger.percentile(0.5, of: sorted),
            let most = SQLiteLedger.percentile(0.95, of: sorted)
        else { return nil }
        return (half, most)
    }
}
