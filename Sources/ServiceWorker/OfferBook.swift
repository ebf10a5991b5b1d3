// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Workflow

/// What a worker offers to the apps whose completions it sends (``SlotOffer``), and when to tell them: a value without a
/// clock.
///
/// The slots are shared out among all who may send at once: as many apps as got completions lately, or App APIs that sent
/// jobs, whichever is more.
struct OfferBook {
    typealias Instant = ContinuousClock.Instant

    private struct Told {
        var at: Instant
        var slots: [String: Int]
    }

    /// How long an app's last offer is left as it is, unless it gains or loses a service.
    private static let pause: Duration = .milliseconds(200)
    /// For how long whoever was heard of last is counted.
    private static let memory: Duration = .seconds(5)
    /// The most slots of a service in an offer.
    private static let most = 256
    /// For how long nothing is offered after jobs were lost on their way here.
    private static let silence: Duration = .seconds(30)
    /// How long after an offer something may still come of it.
    private static let settled: Duration = .seconds(60)

    private var free: [String: Int] = [:]
    private var told: [String: Told] = [:]
    private var queues: [String: Instant] = [:]
    private var seen: [String: (total: Int, at: Instant)] = [:]
    /// Whether jobs can be sent here.
    private(set) var isOpen = false
    private var isClosed = false
    private var silentUntil: Instant?
    /// When slots were offered last; nil once nothing can come of it any more.
    private var offeredAt: Instant?

    init() {}

    /// Whether jobs may have been sent here that did not come, since ``checked(at:)`` said that there are none.
    var mayBeOwed: Bool { offeredAt != nil }

    /// When nobody goes by what was offered any more, but for what is being committed just then; nil when that is long ago.
    var end: Instant? { offeredAt.map { $0.advanced(by: SlotOffer.duration + .milliseconds(200)) } }

    /// The ledger was asked at this moment what was given to this worker, and there was nothing that had not come.
    mutating func checked(at now: Instant) {
        // Whoever read an offer has committed by then what it came to, or never will.
        if let last = offeredAt, last.advanced(by: Self.settled) <= now { offeredAt = nil }
    }

    /// Jobs can be sent here from now on, unless it was closed.
    mutating func open() { isOpen = !isClosed }

    /// Nothing is offered any more: the worker drains.
    mutating func close() { (isOpen, isClosed) = (false, true) }

    /// Notes how many jobs of a service could begin at once, for which nothing waits here.
    mutating func note(free count: Int, of service: String) { free[service] = count > 0 ? count : nil }

    /// Notes that jobs came.
    mutating func heard(from sender: String, total: Int, at now: Instant) {
        seen[sender] = (max(total, seen[sender]?.total ?? 0), now)
    }

    /// Offers nothing for a while: what is sent does not come here.
    mutating func lost(at now: Instant) { silentUntil = now.advanced(by: Self.silence) }

    /// What to tell an app along with completions for this queue; nil when it knows.
    ///
    /// - Parameter isTaking: whether the worker as a whole takes new jobs.
    mutating func offer(
        to queue: String,
        isTaking: Bool = true,
        at now: Instant
    ) -> (slots: [String: Int], seen: [String: Int])? {
        queues[queue] = now
        forget(at: now)
        if let until = silentUntil, until <= now { silentUntil = nil }
        let sharers = max(queues.count, seen.count, 1)
        let isSilent = !isOpen || !isTaking || silentUntil != nil
        let slots = isSilent ? [:] : free.mapValues { min($0 / sharers, Self.most) }.filter { $0.value > 0 }
        if let last = told[queue], now < last.at.advanced(by: Self.pause), Set(last.slots.keys) == Set(slots.keys) {
            return nil
        }
        if slots.isEmpty, told[queue]?.slots.isEmpty ?? true { return nil }
        told[queue] = Told(at: now, slots: slots)
        if !slots.isEmpty { offeredAt = now }
        return (slots, seen.mapValues(\.total))
    }

    private mutating func forget(at now: Instant) {
        let oldest = now.advanced(by: .zero - Self.memory)
        if queues.contains(where: { $0.value < oldest }) { queues = queues.filter { $0.value >= oldest } }
        if seen.contains(where: { $0.value.at < oldest }) { seen = seen.filter { $0.value.at >= oldest } }
    }
}
