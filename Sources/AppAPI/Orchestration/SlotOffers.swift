// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// The slots that workers have offered to this process, and what it has meant for each of them: a value without a clock.
///
/// What was meant for a worker and has not come there yet takes a slot of each service that the worker offers, since the
/// worker's numbers don't know of it.
struct SlotOffers: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Worker {
        var slots: [String: Int] = [:]
        var end: Instant
        /// For how many jobs it was chosen.
        var meant = 0
        /// How many of them have come there, as it told last.
        var seen = 0
        var chosenAt: Instant

        /// How many jobs of a service it could begin that it was not chosen for.
        func free(_ service: String, at now: Instant) -> Int {
            guard now < end else { return 0 }
            // What is on its way for so long was lost: the worker will never see it.
            let isOnItsWay = now < chosenAt.advanced(by: SlotOffer.duration)
            return (slots[service] ?? 0) - (isOnItsWay ? max(0, meant - seen) : 0)
        }
    }

    private var workers: [String: Worker] = [:]

    init() {}

    /// Notes what a worker offers.
    ///
    /// - Parameter sender: this process, as the workers know it.
    mutating func note(_ offer: SlotOffer, to sender: String, at now: Instant) {
        let end = now.advanced(by: SlotOffer.duration)
        if workers[offer.worker] == nil { forget(at: now) }
        var worker = workers[offer.worker] ?? Worker(end: end, chosenAt: now)
        worker.slots = offer.slots
        worker.end = end
        worker.seen = max(worker.seen, offer.seen[sender] ?? 0)
        workers[offer.worker] = worker
    }

    /// Chooses the worker with the most free slots for a job of a service; nil when none has any.
    mutating func take(_ service: String, at now: Instant) -> String? {
        var chosen: (worker: String, free: Int)?
        for (id, worker) in workers {
            let free = worker.free(service, at: now)
            if free > chosen?.free ?? 0 { chosen = (id, free) }
        }
        guard let id = chosen?.worker else { return nil }
        workers[id]?.meant += 1
        workers[id]?.chosenAt = now
        return id
    }

    /// For how many jobs a worker was chosen so far.
    func meant(for worker: String) -> Int { workers[worker]?.meant ?? 0 }

    /// Takes back what a worker offered: it can't be reached now.
    mutating func withdraw(_ worker: String) { workers[worker]?.slots = [:] }

    /// Forgets workers that have offered nothing for long, when another one comes.
    private mutating func forget(at now: Instant) {
        workers = workers.filter { now < $0.value.end.advanced(by: .seconds(60)) }
    }
}
