// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How the attempts of a job went, as far as its calls tell.
struct AttemptTimes: Sendable {
    /// The attempts whose call said that it failed, for now or for good.
    private(set) var failed: Set<Int> = []
    /// The attempts that may have taken longer than their limit, which counts as a failure too.
    private(set) var couldTimeOut: Set<Int> = []

    /// Far more than any job has; it bounds the work on a row that is wrong.
    private static let most = 1000

    init(of job: JobRow, _ evidence: Evidence) {
        let calls = evidence.callsByJob[job.id] ?? []
        for call in calls where call.ended(.failed, .refused) { failed.insert(call.attempt) }
        let end = evidence.end(of: job)
        // Nothing can have taken longer than its limit in a shorter life.
        guard end - job.created + evidence.bounds.clocks >= job.timeout, job.attempt > 0 else { return }
        let began = Dictionary(calls.map { ($0.attempt, $0.began) }) { first, _ in first }
        var next = end
        for attempt in stride(from: min(job.attempt, Self.most), through: 1, by: -1) {
            // An attempt without a call began at some time after the one before it.
            var before = attempt
            while before > 0, began[before] == nil { before -= 1 }
            let start = began[attempt] ?? began[before] ?? job.created
            if next - start + evidence.bounds.clocks + evidence.bounds.step >= job.timeout {
                couldTimeOut.insert(attempt)
            }
            next = began[attempt] ?? next
        }
        couldTimeOut.subtract(failed)
    }
}
