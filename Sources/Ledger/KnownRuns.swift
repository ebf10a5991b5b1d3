// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
import Synchronization
public import Workflow

/// The runs that a ledger wrote lately and that wait for a single job: their next step need not be read first.
///
/// Only a hint, for another process may have moved them on meanwhile. Whoever goes by it writes under the guard that
/// the run and the lease are as they were, and reads what the guard refuses. Runs with several open jobs are left out:
/// they are where two processes meet.
public final class KnownRuns: Sendable {
    /// A run as it was written.
    public struct Entry: Sendable {
        /// Its task.
        public var task: TaskRecord
        /// The run.
        public var run: Run
        /// Its only open job, as it was created; as found, running under the lease of its completion.
        public var job: Job
        /// When it was written.
        public let since = ContinuousClock.now

        /// About how much memory it takes, in bytes.
        var size: Int { task.payload.count + 1280 }
    }

    /// The older half goes when the younger one is full.
    private struct Memory {
        var young: [JobID: Entry] = [:]
        var old: [JobID: Entry] = [:]
        var youngSize = 0
        /// How many runs were looked for lately, and how many of them were known: what is long ago counts little.
        var lookedFor = 20.0
        var found = 20.0

        mutating func looked(isKnown: Bool) {
            lookedFor = lookedFor * 0.98 + 1
            found = found * 0.98 + (isKnown ? 1 : 0)
        }

        subscript(job: JobID) -> Entry? { young[job] ?? old[job] }

        mutating func put(_ entry: Entry, limit: Int) {
            guard entry.size <= limit else { return }
            remove(entry.job.id)
            if youngSize + entry.size > limit { (old, young, youngSize) = (young, [:], 0) }
            young[entry.job.id] = entry
            youngSize += entry.size
        }

        mutating func remove(_ job: JobID) {
            if let entry = young.removeValue(forKey: job) { youngSize -= entry.size } else { old[job] = nil }
        }
    }

    private let limit: Int
    private let memory = Mutex(Memory())

    /// Makes one that knows nothing.
    ///
    /// - Parameter limit: how much memory it may take, in bytes, give or take.
    public init(limit: Int = 24 << 20) {
        self.limit = limit
    }

    /// The runs of settlements that are completions, by job.
    public func find(_ settlements: [Settlement]) -> [JobID: Entry] {
        var found: [JobID: Entry] = [:]
        var seen: Set<JobID> = []
        memory.withLock { memory in
            for settlement in settlements {
                // Of two that name the same job only the row can tell which one holds it.
                guard seen.insert(settlement.job).inserted else {
                    found[settlement.job] = nil
                    continue
                }
                guard case .completed(let lease) = settlement.event else { continue }
                let known = memory[settlement.job]
                memory.looked(isKnown: known != nil)
                guard var entry = known else { continue }
                entry.job.state = .running
                entry.job.lease = lease
                found[settlement.job] = entry
            }
        }
        return found
    }

    /// Whether nearly all that is settled here is of known runs: no other process settles completions of these apps.
    var isAlone: Bool { memory.withLock { $0.found > $0.lookedFor * 0.9 } }

    /// Remembers accepted requests.
    public func note(accepted requests: some Sequence<NewTask>) {
        memory.withLock { memory in
            for request in requests where request.jobs.count == 1 {
                keep(Entry(task: request.task, run: request.run, job: request.jobs[0].job), in: &memory)
            }
        }
    }

    /// Remembers what was committed, and forgets the runs of jobs that were cancelled with it.
    ///
    /// - Parameters:
    ///   - outcome: what the writes came to.
    ///   - tasks: those of the runs in `writes`.
    public func note(
        _ writes: SettleWrites,
        _ outcome: SettleOutcome,
        of tasks: [TaskID: (task: TaskRecord, run: Run)]
    ) {
        var created: [TaskID: [Job]] = [:]
        for record in writes.created { if let task = record.job.task { created[task, default: []].append(record.job) } }
        memory.withLock { memory in
            for update in writes.jobs { memory.remove(update.job.id) }
            for (id, run) in writes.runs {
                guard let jobs = created[id], jobs.count == 1, let task = tasks[id]?.task else { continue }
                keep(Entry(task: task, run: run, job: jobs[0]), in: &memory)
            }
            for job in outcome.cancelled { memory.remove(job.id) }
        }
    }

    /// Forgets what turned out to be otherwise.
    public func forget(_ jobs: some Sequence<JobID>) {
        memory.withLock { memory in for job in jobs { memory.remove(job) } }
    }

    private func keep(_ entry: Entry, in memory: inout Memory) {
        let open = entry.run.stages.reduce(0) { $0 + $1.total - $1.succeeded - $1.failed }
        guard open == 1, entry.run.state == .running, !entry.job.state.isFinal else { return }
        memory.put(entry, limit: limit / 2)
    }
}
