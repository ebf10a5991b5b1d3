// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization
import Workflow

/// Knows what workers hold over the job contract, as far as this process hears of it, and says so in their rows.
final class WorkerTally: Sendable {
    private struct Entry {
        var services: [String] = []
        var slots = 1
        /// The jobs it holds, with the ends of their leases.
        var held: [JobID: ContinuousClock.Instant] = [:]
        var seenAt = ContinuousClock.now
    }

    /// The most workers that are remembered, and for how long a silent one is when there are more.
    private static let capacity = 10_000
    private static let memory: Duration = .seconds(60)

    private let presence: RemotePresence
    private let entries = Mutex<[String: Entry]>([:])

    init(presence: RemotePresence) {
        self.presence = presence
    }

    /// A worker asked for jobs of these services, and got some.
    func claimed(_ worker: String, services: [String], slots: Int, jobs: [Job], for duration: Duration) {
        note(worker) { entry in
            entry.services = services
            entry.slots = max(slots, jobs.count)
            for job in jobs { entry.held[job.id] = .now + duration }
        }
    }

    /// A worker said that it still runs a job.
    func renewed(_ worker: String, _ job: Job, for duration: Duration) {
        note(worker) { entry in
            if !entry.services.contains(job.service) { entry.services.append(job.service) }
            entry.held[job.id] = .now + duration
        }
    }

    /// A worker handed a job in, or lost it.
    func ended(_ worker: String, _ job: Job) {
        note(worker) { entry in
            if !entry.services.contains(job.service) { entry.services.append(job.service) }
            entry.held[job.id] = nil
        }
    }

    private func note(_ worker: String, _ change: (inout Entry) -> Void) {
        let now = ContinuousClock.now
        let entry = entries.withLock { entries -> Entry in
            if entries.count >= Self.capacity { entries = entries.filter { now - $0.value.seenAt < Self.memory } }
            var entry = entries[worker] ?? Entry()
            change(&entry)
            entry.seenAt = now
            entry.held = entry.held.filter { $0.value > now }
            entries[worker] = entry
            return entry
        }
        presence.seen(
            worker,
            services: entry.services,
            slots: max(entry.slots, entry.held.count),
            running: entry.held.count
        )
    }
}
