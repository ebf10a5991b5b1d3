// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import Plumbing
internal import Workflow

/// Decides what becomes of a service's tickets: pure, no clock of its own.
///
/// All tickets that wait are claimed together as far as slots are free; one claim is under way at a time and the next
/// gathers meanwhile. A claim that failed is repeated with the same leases, since it may have been carried out.
struct TicketDesk {
    typealias Instant = ContinuousClock.Instant

    /// What the owner has to do, in order.
    enum Action: Hashable {
        /// Ask the ledger for as many jobs, then call ``claimed(jobs:)`` or ``claimFailed(at:)``.
        case claim([LeaseID])
        /// Settle these tickets.
        case settle([DeliveryTag], DeliverySettlement)
        /// Stop the delivery of tickets.
        case pause
        /// Start it again; call ``resumeFailed(at:)`` when that fails.
        case resume
    }

    private struct HeldTicket {
        var tag: DeliveryTag
        var since: Instant
    }

    private struct Claim {
        var leases: [LeaseID]
        var tickets: [HeldTicket]
        var isUnderWay = true
    }

    /// How many jobs run at once at most.
    let slots: Int
    private let hold: Duration
    private let retry: Backoff
    private var tickets: [HeldTicket] = []
    private var claim: Claim?
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
    /// Whether nothing new is taken any more.
    private(set) var isDraining = false

    init(slots: Int, hold: Duration, retry: Backoff) {
        self.slots = max(1, slots)
        ready = self.slots
        self.hold = hold
        self.retry = retry
    }

    /// How many tickets it holds.
    var held: Int { tickets.count + (claim?.tickets.count ?? 0) }

    /// How many slots neither run a job nor wait for one, and could run one at once.
    var free: Int { max(0, ready - running - (claim?.leases.count ?? 0)) }

    mutating func received(_ tags: [DeliveryTag], at now: Instant) {
        tickets += tags.map { HeldTicket(tag: $0, since: now) }
    }

    /// The ledger gave this many jobs; returns the tickets to acknowledge, surplus ones included: fewer jobs than
    /// leases means that no more are due.
    mutating func claimed(jobs: Int) -> (tickets: [DeliveryTag], surplus: Int) {
        guard let ended = claim else { return ([], 0) }
        claim = nil
        failures = 0
        running += jobs
        return (ended.tickets.map(\.tag), max(0, ended.leases.count - jobs))
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
        if let until = blockedUntil, until <= now { blockedUntil = nil }
        var actions: [Action] = []
        if blockedUntil == nil, let action = nextClaim(isOpen: isOpen) { actions.append(action) }
        actions += giveBackStale(at: now, isOpen: isOpen)
        if isPaused, tickets.isEmpty, free > 0, blockedUntil == nil, isOpen {
            isPaused = false
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
        let count = min(tickets.count, free)
        guard isOpen, count > 0 else { return nil }
        let fresh = Claim(leases: (0..<count).map { _ in LeaseID() }, tickets: Array(tickets.prefix(count)))
        tickets.removeFirst(count)
        claim = fresh
        return .claim(fresh.leases)
    }

    private mutating func giveBackStale(at now: Instant, isOpen: Bool) -> [Action] {
        var stale: [DeliveryTag] = []
        if let first = claim?.tickets.first, first.since + hold <= now, claim?.isUnderWay == false {
            stale += claim?.tickets.map(\.tag) ?? []
            claim?.tickets = []
        }
        let isStuck = free == 0 || blockedUntil != nil || !isOpen || claim != nil
        let wasOnItsWay = isPauseFresh(at: now)
        if isStuck, let first = tickets.first, first.since + hold <= now || wasOnItsWay {
            stale += tickets.map(\.tag)
            tickets = []
        }
        guard !stale.isEmpty else { return [] }
        guard !wasOnItsWay else { return [.settle(stale, .requeued)] }
        isPaused = true
        pausedAt = now
        // Paused first: what is given back would be delivered here again at once.
        return [.pause, .settle(stale, .requeued)]
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
        if !tickets.isEmpty { actions.append(.settle(tickets.map(\.tag), .requeued)) }
        tickets = []
        return actions
    }
}
