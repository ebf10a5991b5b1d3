// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Ledger
internal import Workflow

/// Jobs that App APIs gave to this worker and that wait for a slot of their line: a value without a clock.
struct AssignedJobs {
    typealias Instant = ContinuousClock.Instant

    /// A job, and when the ledger gave it to this worker, by this machine's clock.
    struct Entry {
        var record: JobRecord
        var claimedAt: Instant
        var since: Instant
    }

    private let hold: Duration
    private var entries: [Entry] = []

    /// Makes it empty.
    ///
    /// - Parameter hold: how long a job waits here for a slot; then another worker may have one.
    init(hold: Duration) {
        self.hold = hold
    }

    /// How many wait.
    var count: Int { entries.count }

    /// When to look again although nothing happened; nil when nothing waits.
    var nextWake: Instant? { entries.first.map { $0.since + hold } }

    /// Takes in what came.
    mutating func add(_ entries: [Entry]) { self.entries += entries }

    /// Takes out those that came first.
    mutating func take(_ count: Int) -> [Entry] {
        let taken = Array(entries.prefix(max(0, count)))
        entries.removeFirst(taken.count)
        return taken
    }

    /// Takes out those that have waited for too long.
    mutating func takeStale(at now: Instant) -> [Entry] {
        take(entries.prefix { $0.since + hold <= now }.count)
    }
}
