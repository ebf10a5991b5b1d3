// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import Plumbing
internal import Workflow

/// Decides what becomes of a service's tickets: pure, no clock of its own.
///
/// All tickets that wait are claimed together as far as slots are free; one claim is under way at a time and the next
/// gathers meanwhile. A claim that failed is repeated with the same leases, since it may have been carried out. Of a
/// ticket for several jobs it keeps what it can claim soon; for the others it makes a new ticket, that anyone may take.
struct TicketDesk {
    typealias Instant = ContinuousClock.Instant

    /// What the owner has to do, in order.
    enum Action: Hashable {
        /// Ask the ledger for as many jobs, then call ``claimed(jobs:)`` or ``claimFailed(at:)``.
        case claim([LeaseID])
        /// Settle these tickets.
        case settle([DeliveryTag], DeliverySettlement)
        /// Make tickets for so many jobs.
        case post(Int)
        /// Stop the delivery of tickets.
        case pause
        /// Start it again; call ``resumeFailed(at:)`` when that fails.
        case resume
    }

    private struct Claim {
        var leases: [LeaseID]
        var tickets: [HeldTicket]
        /// What it took of a ticket that is for more jobs and stays.
        var part: HeldTicket?
        var isUnderWay = true

        /// For how many jobs it holds tickets: none once they went back before it was answered.
        var held: Int { tickets.jobs + (part?.count ?? 0) }
    }

    /// How many jobs run at once at most.
    let slots: Int
    private let hold: Duration
    private let retry: Backoff
    private var tickets: [HeldTicket] = []
    private var claim: Claim?
    /// For how many jobs a dropped claim took a part of a ticket.
    private var owed = 0
    private var failures = 0
    private var blockedUntil: Instant?
    /// How many of the slots can run a job at all, as it was told last.
    private var ready: Int
    /// How many jobs run.
    private(set) var running = 0
    /// Whether no tickets are asked for.
    private(set) var isPaused = false
    /// When that was last asked of the broker, which may not have heard it.
    private var pausedAt: Instant?
    /// When the delivery of tickets was started again; those that waited come a little later.
    private var resumedAt: Instant?
    private static let quiet: Duration = .milliseconds(100)
    /// Whether nothing new is taken any more.
    private(set) var isDraining = false

    init(slots: Int, hold: Duration, retry: Backoff) {
        self.slots = max(1, slots)
        ready = self.slots
        self.hold = hold
        self.retry = retry
    }

    /// For how many jobs it holds tickets: a few more than slots, so that the next claim gathers while one is under way;
    /// one slot needs one.
    var most: Int { slots == 1 ? 1 : slots + max(2, slots / 2) }

    /// How many tickets to ask of the broker, each of which may be for `size` jobs: hardly more than it keeps, and a few
    /// at least, for they may be for one job each.
    func prefetch(ticketSize size: Int) -> Int { size > 1 ? max(most / size + 2, min(most, 8)) : most }

    /// For how many jobs it holds tickets.
    var held: Int { tickets.jobs + (claim?.held ?? 0) }

    /// How many slots neither run a job nor wait for one, and could run one at once.
    var free: Int { max(0, ready - running - (claim?.leases.count ?? 0)) }

    /// How many jobs could begin at once for which no ticket is held here, nor is likely to be on its way.
    func offerable(at now: Instant) -> Int {
        guard !isDraining, !isPaused, blockedUntil == nil, resumedAt.map({ $0 + Self.quiet <= now }) ?? true else {
            return 0
        }
        return max(0, free - tickets.jobs)
    }

    /// How many jobs that need no ticket may begin now.
    mutating func startable(at now: Instant, isOpen: Bool, ready: Int) -> Int {
        self.ready = min(ready, slots)
        unblock(at: now)
        return isOpen && !isDraining && blockedUntil == nil ? free : 0
    }

    /// So many jobs began that came without a ticket.
    mutating func began(_ jobs: Int) { running += jobs }

    /// Tickets came, each for so many jobs.
    mutating func received(_ tickets: [(tag: DeliveryTag, count: Int)], at now: Instant) {
        self.tickets += tickets.map { HeldTicket(tag: $0.tag, count: $0.count, since: now) }
    }

    /// The ledger gave this many jobs; returns the tickets to acknowledge, surplus ones included: fewer jobs than
    /// leases means that no more are due.
    mutating func claimed(jobs: Int) -> (tickets: [DeliveryTag], surplus: Int) {
        guard let ended = claim else { return ([], 0) }
        claim = nil
        failures = 0
        running += jobs
        var used = ended.tickets.map(\.tag)
        if jobs < ended.leases.count, let part = ended.part, part.tag == tickets.first?.tag {
            // What is left of the same ticket would find nothing either.
            used.append(part.tag)
            tickets.removeFirst()
        }
        return (used, max(0, ended.leases.count - jobs))
    }

    /// The ledger could not be asked.
    mutating func claimFailed(at now: Instant) {
        claim?.isUnderWay = false
        block(at: now)
    }

    /// The broker could not be asked to deliver again.
    mutating func resumeFailed(at now: Instant) {
        isPaused = true
        block(at: now)
    }

    /// A job ended and its slot is free.
    ///
    /// One that was handed back makes the desk pause, lest the same job go round
    /// and round while its engine can't take it.
    mutating func ended(handedBack: Bool, at now: Instant) {
        running -= 1
        if handedBack {
            block(at: now)
        } else if claim == nil {
            failures = 0
            blockedUntil = nil
        }
    }

    /// Takes nothing new from now on.
    mutating func drain() {
        isDraining = true
        if claim?.isUnderWay == false, let dropped = claim {
            // Whatever the ledger gave to these leases is requeued once this worker's row is gone.
            tickets += dropped.tickets
            owed = dropped.part?.count ?? 0
            claim = nil
        }
    }

    /// What to do now.
    ///
    /// - Parameters:
    ///   - isOpen: whether the worker as a whole takes new jobs.
    ///   - ready: how many slots run a job or could run one at once; the others wait for their handler.
    mutating func actions(at now: Instant, isOpen: Bool, ready: Int = .max) -> [Action] {
        self.ready = min(ready, slots)
        guard !isDraining else { return drainActions(at: now) }
        unblock(at: now)
        var actions: [Action] = []
        if blockedUntil == nil, let action = nextClaim(isOpen: isOpen) { actions.append(action) }
        actions += share()
        actions += giveBackStale(at: now, isOpen: isOpen)
        if isPaused, tickets.isEmpty, free > 0, blockedUntil == nil, isOpen {
            isPaused = false
            resumedAt = now
            actions.append(.resume)
        }
        return actions
    }

    /// When to ask again although nothing happened; nil when that is not needed.
    func nextWake() -> Instant? {
        guard !isDraining else { return nil }
        let waiting = claim.flatMap { $0.isUnderWay ? nil : $0.tickets.first?.since }
        let oldest = [tickets.first?.since, waiting].compactMap { $0 }.min()
        return [oldest.map { $0 + hold }, blockedUntil].compactMap { $0 }.min()
    }

    private mutating func unblock(at now: Instant) {
        if let until = blockedUntil, until <= now { blockedUntil = nil }
    }

    private mutating func block(at now: Instant) {
        failures += 1
        blockedUntil = now + retry.delay(afterFailures: failures)
    }

    private mutating func nextClaim(isOpen: Bool) -> Action? {
        if let waiting = claim {
            guard !waiting.isUnderWay else { return nil }
            claim?.isUnderWay = true
            return .claim(waiting.leases)
        }
        let count = min(tickets.jobs, free)
        guard isOpen, count > 0 else { return nil }
        let (used, part) = take(count)
        let fresh = Claim(leases: (0..<count).map { _ in LeaseID() }, tickets: used, part: part)
        claim = fresh
        return .claim(fresh.leases)
    }

    /// Takes tickets for so many jobs: those that are used up by it, and what it takes of one that stays.
    private mutating func take(_ count: Int) -> (used: [HeldTicket], part: HeldTicket?) {
        var left = count
        let used = Array(
            tickets.prefix { ticket in
                guard ticket.count <= left else { return false }
                left -= ticket.count
                return true
            }
        )
        tickets.removeFirst(used.count)
        guard left > 0, var part = tickets.first else { return (used, nil) }
        part.count = left
        tickets[0].reduce(by: left)
        return (used, part)
    }

    /// Gives away what it can't claim soon: another worker may have a slot for it.
    private mutating func share() -> [Action] {
        let excess = tickets.jobs - max(most, tickets.count)
        guard excess > 0 else { return [] }
        var left = excess
        for place in tickets.indices.reversed() where left > 0 {
            let part = min(left, tickets[place].count - 1)
            if part > 0 { tickets[place].reduce(by: part) }
            left -= part
        }
        return [.post(excess)]
    }

    private mutating func giveBackStale(at now: Instant, isOpen: Bool) -> [Action] {
        var stale: [HeldTicket] = []
        if let first = claim?.tickets.first, first.since + hold <= now, claim?.isUnderWay == false {
            stale += claim?.tickets ?? []
            claim?.tickets = []
        }
        let isStuck = free == 0 || blockedUntil != nil || !isOpen || claim != nil
        let wasOnItsWay = isPauseFresh(at: now)
        if isStuck, let first = tickets.first, first.since + hold <= now || wasOnItsWay {
            stale += tickets
            tickets = []
        }
        guard !stale.isEmpty else { return [] }
        guard !wasOnItsWay else { return Self.giveBack(stale) }
        isPaused = true
        pausedAt = now
        // Paused first: what is given back would be delivered here again at once.
        return [.pause] + Self.giveBack(stale)
    }

    /// A ticket of which a part is gone comes back as a smaller one, or it would be for too many jobs.
    private static func giveBack(_ tickets: [HeldTicket]) -> [Action] {
        let (whole, parts) = (tickets.filter(\.isWhole), tickets.filter { !$0.isWhole })
        var actions: [Action] = []
        if !whole.isEmpty { actions.append(.settle(whole.map(\.tag), .requeued)) }
        if !parts.isEmpty {
            actions.append(.post(parts.jobs))
            actions.append(.settle(parts.map(\.tag), .acknowledged))
        }
        return actions
    }

    /// Whether what comes now was on its way when the pause was asked for.
    ///
    /// What comes later says that the broker does not know of the pause: given back at once it would come again at once.
    private func isPauseFresh(at now: Instant) -> Bool {
        isPaused && pausedAt.map { now < $0 + hold } ?? false
    }

    private mutating func drainActions(at now: Instant) -> [Action] {
        var actions: [Action] = []
        if !isPaused || (!tickets.isEmpty && !isPauseFresh(at: now)) {
            actions.append(.pause)
            isPaused = true
            pausedAt = now
        }
        actions += Self.giveBack(tickets)
        if owed > 0 { actions.append(.post(owed)) }
        (tickets, owed) = ([], 0)
        return actions
    }
}
