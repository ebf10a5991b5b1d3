// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// The slots that workers have offered to this process, and what it has sent to each of them: a value without a clock.
///
/// What a worker was chosen for, and what was sent to it and has not come there yet, takes a slot of each service that it
/// offers, since its numbers don't know of it.
struct SlotOffers: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Worker {
        var slots: [String: Int] = [:]
        var end: Instant
        /// The jobs that it was chosen for and that have not been sent, by their leases: they are being committed.
        var chosen: [LeaseID: Instant] = [:]
        /// How many were sent to it.
        var sent = 0
        var sentAt: Instant
        /// How many of them have come there, as it told last.
        var seen = 0

        /// How many jobs of a service it could begin that it does not know of.
        func free(_ service: String, at now: Instant) -> Int {
            guard now < end else { return 0 }
            // What is on its way for so long was lost: the worker will never see it.
            let isOnItsWay = now < sentAt.advanced(by: SlotOffer.duration)
            return (slots[service] ?? 0) - chosen.count - (isOnItsWay ? max(0, sent - seen) : 0)
        }
    }

    private var workers: [String: Worker] = [:]
    /// The services of which nobody has a free slot, until the next offer.
    private var taken: Set<String> = []

    init() {}

    /// Notes what a worker offers.
    ///
    /// - Parameter sender: this process, as the workers know it.
    mutating func note(_ offer: SlotOffer, from sender: String, at now: Instant) {
        let end = now.advanced(by: SlotOffer.duration)
        if workers[offer.worker] == nil { workers = workers.filter { now < $0.value.end.advanced(by: .seconds(60)) } }
        var worker = workers[offer.worker] ?? Worker(end: end, sentAt: now)
        worker.slots = offer.slots
        worker.end = end
        worker.seen = max(worker.seen, offer.seen[sender] ?? 0)
        // What was chosen so long ago was never committed.
        worker.chosen = worker.chosen.filter { now < $0.value.advanced(by: SlotOffer.duration) }
        workers[offer.worker] = worker
        taken = []
    }

    /// Chooses the worker with the most free slots for a job that will run under this lease; nil when none has any.
    mutating func take(_ service: String, lease: LeaseID, at now: Instant) -> String? {
        guard !taken.contains(service) else { return nil }
        var best: (worker: String, free: Int)?
        for (id, worker) in workers {
            let free = worker.free(service, at: now)
            if free > best?.free ?? 0 { best = (id, free) }
        }
        guard let id = best?.worker else {
            taken.insert(service)
            return nil
        }
        workers[id]?.chosen[lease] = now
        return id
    }

    /// Jobs are sent to a worker that was chosen for them; returns how many that are so far.
    mutating func send(_ leases: [LeaseID], to worker: String, at now: Instant) -> Int {
        for lease in leases { workers[worker]?.chosen[lease] = nil }
        workers[worker]?.sent += leases.count
        workers[worker]?.sentAt = now
        return workers[worker]?.sent ?? leases.count
    }

    /// Takes back what a worker offered: it can't be reached now.
    mutating func withdraw(_ worker: String) { workers[worker]?.slots = [:] }
}
