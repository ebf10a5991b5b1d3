// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Ledger
internal import Plumbing
internal import Synchronization
internal import Workflow

/// The worker's ``OfferBook``, which its lines write and its outbox reads.
final class OfferBox: Sendable {
    private let worker: String
    private let clock: LedgerClock
    private let book = Mutex(OfferBook())
    private let takes = LateClosure { true }

    init(worker: String, clock: LedgerClock) {
        self.worker = worker
        self.clock = clock
    }

    /// Names what tells whether the worker as a whole takes new jobs.
    func bind(isTaking: @escaping @Sendable () -> Bool) { takes.name(isTaking) }

    /// Changes the book, and asks it.
    func withLock<Answer: Sendable>(_ body: (inout sending OfferBook) -> sending Answer) -> Answer {
        book.withLock(body)
    }

    /// The body of what an app is to be told along with completions for this queue; nil when there is nothing new, and for
    /// the queue of direct jobs.
    func body(for queue: String) -> [UInt8]? {
        guard QueueName.isOfApp(queue) else { return nil }
        let isTaking = takes()
        guard let told = book.withLock({ $0.offer(to: queue, isTaking: isTaking, at: .now) }) else { return nil }
        return SlotOffer(worker: worker, slots: told.slots, seen: told.seen, sentAt: clock.now).body
    }
}
