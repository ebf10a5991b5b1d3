// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Ledger
internal import Plumbing
internal import Synchronization
internal import Workflow

/// The leases that this worker holds with a job that runs, rests or goes back; the outbox holds those that ended.
///
/// It also keeps the time limits of what runs: one timer for all of them, none while nothing runs.
final class LeaseTable: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// A moment at which a job is stopped, and why.
    struct Limit: Sendable {
        var at: Instant
        var reason: StopReason
    }

    /// What a held lease is doing.
    enum Phase: Sendable, Hashable {
        case running
        /// Stopped; waits for the ledger's word.
        case parked(since: Instant)
        /// To be handed back.
        case returning
    }

    /// A held lease.
    struct Entry: Sendable {
        var job: Job
        var lease: LeaseID
        var claimedAt: Instant
        var word: LeaseWord
        var limit: Limit?
        var phase = Phase.running
        var stopReason: StopReason?
        var task: Task<Void, Never>?
    }

    private struct State {
        var entries: [LeaseID: Entry] = [:]
        /// The leases of claims that have not been answered, and whether each was stopped already.
        var expected: [LeaseID: Bool] = [:]
        /// What hints stopped lately that was not held: an assigned job may come after its cancel.
        ///
        /// The older half goes when the younger one is full.
        var hinted: (young: Set<LeaseID>, old: Set<LeaseID>) = ([], [])
        var runningCount = 0
        var idleWaiters: [OneShot<Void>] = []
        var timer: Task<Void, Never>?
        var timerAt: Instant?

        /// Keeps a hint.
        mutating func remember(_ lease: LeaseID) {
            if hinted.young.count >= 4096 { hinted = ([], hinted.young) }
            hinted.young.insert(lease)
        }

        /// Whether a hint about it came, which is forgotten.
        mutating func wasHinted(_ lease: LeaseID) -> Bool {
            hinted.young.remove(lease) != nil || hinted.old.remove(lease) != nil
        }
    }

    private let state = Mutex(State())

    init() {}

    /// Everything that is held.
    var entries: [Entry] { state.withLock { Array($0.entries.values) } }

    /// How many jobs run.
    var running: Int { state.withLock { $0.runningCount } }

    /// Jobs are asked for with these leases: a hint that stops one of them may be faster than the claim's answer.
    func expect(_ leases: [LeaseID]) {
        state.withLock { state in
            // What was stopped before a claim is repeated is not in its answer: the lease may come with another job.
            for lease in leases { state.expected[lease] = false }
        }
    }

    /// The claim was answered; what it gave has been added.
    func expectNoMore(_ leases: [LeaseID]) {
        state.withLock { state in
            for lease in leases { state.expected[lease] = nil }
        }
    }

    /// Whether a lease is held here, or asked for.
    func knows(_ lease: LeaseID) -> Bool {
        state.withLock { $0.entries[lease] != nil || $0.expected[lease] != nil }
    }

    /// Whether a lease came so lately that the ledger may not know its job yet.
    func isYoung(_ lease: LeaseID, at now: Instant) -> Bool {
        state.withLock { $0.entries[lease].map { now < $0.claimedAt + LeaseWord.lead } ?? false }
    }

    /// Takes in a job that was claimed.
    func add(_ job: Job, lease: LeaseID, claimedAt: Instant, word: LeaseWord, limit: Limit?) {
        state.withLock { state in
            var entry = Entry(job: job, lease: lease, claimedAt: claimedAt, word: word, limit: limit)
            let isHinted = state.expected[lease] == true || state.wasHinted(lease)
            if isHinted { entry.stopReason = .hinted }
            state.entries[lease] = entry
            state.runningCount += 1
        }
        if let limit { watch(until: limit.at) }
    }

    /// Names the task that runs a job, to be cancelled when the job is stopped; at once when it was already.
    func attach(_ task: Task<Void, Never>, to lease: LeaseID) {
        let isStopped = state.withLock { state -> Bool in
            state.entries[lease]?.task = task
            return state.entries[lease]?.stopReason != nil
        }
        if isStopped { task.cancel() }
    }

    /// A beat that was sent at `beatAt` found these leases held.
    func confirm(_ leases: some Sequence<LeaseID>, beatAt: Instant) {
        state.withLock { state in
            for lease in leases {
                guard let word = state.entries[lease]?.word, word.at < beatAt else { continue }
                state.entries[lease]?.word = LeaseWord(beatAt: beatAt)
            }
        }
    }

    /// Takes an old word for a young one, once: no younger one is to be had.
    func trust(_ lease: LeaseID, at now: Instant) {
        state.withLock { $0.entries[lease]?.word.at = now }
    }

    /// The ledger's last word on a job that may still begin; nil when it was stopped or is gone.
    func word(on lease: LeaseID) -> LeaseWord? {
        state.withLock { state in
            guard let entry = state.entries[lease], entry.phase == .running, entry.stopReason == nil else { return nil }
            return entry.word
        }
    }

    /// Whether an ended job's result is still wanted: the ledger has not said otherwise, and the worker does not leave.
    func isWanted(_ lease: LeaseID) -> Bool {
        state.withLock { state in
            guard let entry = state.entries[lease], entry.phase == .running else { return false }
            return entry.stopReason != .forgotten && entry.stopReason != .drained
        }
    }

    /// Sets another time limit; false when the job was stopped meanwhile.
    func begin(_ lease: LeaseID, limit: Limit?) -> Bool {
        let mayRun = state.withLock { state -> Bool in
            guard let entry = state.entries[lease], entry.stopReason == nil else { return false }
            state.entries[lease]?.limit = limit
            return true
        }
        if mayRun, let limit { watch(until: limit.at) }
        return mayRun
    }

    /// Stops what a hint says was cancelled, or will have it stopped as soon as the claim that it came from is answered.
    func hint(_ lease: LeaseID) {
        let isEarly = state.withLock { state -> Bool in
            guard state.entries[lease] == nil else { return false }
            if state.expected[lease] != nil { state.expected[lease] = true } else { state.remember(lease) }
            return true
        }
        if !isEarly { stop(lease, .hinted) }
    }

    /// How many leases were stopped before their claims were answered.
    var stoppedEarly: Int { state.withLock { $0.expected.values.count { $0 } } }

    /// Stops a running job; the first reason counts, but that the ledger has forgotten it counts always.
    @discardableResult
    func stop(_ lease: LeaseID, _ reason: StopReason) -> Bool {
        let task = state.withLock { state -> Task<Void, Never>? in
            guard let entry = state.entries[lease], entry.phase == .running else { return nil }
            if entry.stopReason == nil || reason == .forgotten { state.entries[lease]?.stopReason = reason }
            return entry.task
        }
        task?.cancel()
        return task != nil
    }

    /// The job no longer runs; tells why it was stopped, nil when it was not.
    func ended(_ lease: LeaseID) -> StopReason? {
        state.withLock {
            $0.entries[lease]?.limit = nil
            return $0.entries[lease]?.stopReason
        }
    }

    /// Puts an ended job aside.
    func set(_ phase: Phase, of lease: LeaseID) {
        change { state in
            guard let entry = state.entries[lease] else { return }
            if entry.phase == .running { state.runningCount -= 1 }
            state.entries[lease]?.phase = phase
            state.entries[lease]?.task = nil
        }
    }

    /// Lets go of leases.
    func remove(_ leases: [LeaseID]) {
        change { state in
            for lease in leases {
                if state.entries.removeValue(forKey: lease)?.phase == .running { state.runningCount -= 1 }
            }
        }
    }

    /// Returns once nothing runs; throws when cancelled.
    func waitUntilIdle() async throws {
        let waiter = state.withLock { state -> OneShot<Void>? in
            guard state.runningCount > 0 else { return nil }
            let waiter = OneShot<Void>()
            state.idleWaiters.append(waiter)
            return waiter
        }
        try await waiter?.value()
    }

    private func change(_ body: (inout State) -> Void) {
        let waiters = state.withLock { state -> [OneShot<Void>] in
            body(&state)
            guard state.runningCount == 0 else { return [] }
            defer { state.idleWaiters = [] }
            return state.idleWaiters
        }
        for waiter in waiters { waiter.finish(.success(())) }
    }

    private func watch(until instant: Instant) {
        state.withLock { state in
            if let at = state.timerAt, at <= instant { return }
            state.timer?.cancel()
            state.timerAt = instant
            state.timer = Task { [weak self] in
                do { try await Task.sleep(until: instant, clock: .continuous) } catch { return }
                self?.stopOverdue()
            }
        }
    }

    private func stopOverdue() {
        let now = ContinuousClock.now
        let (overdue, next) = state.withLock { state -> ([(LeaseID, StopReason)], Instant?) in
            state.timer = nil
            state.timerAt = nil
            var overdue: [(LeaseID, StopReason)] = []
            var next: Instant?
            for entry in state.entries.values where entry.stopReason == nil {
                guard let limit = entry.limit else { continue }
                if limit.at <= now {
                    overdue.append((entry.lease, limit.reason))
                } else {
                    next = min(next ?? limit.at, limit.at)
                }
            }
            return (overdue, next)
        }
        for (lease, reason) in overdue { stop(lease, reason) }
        if let next { watch(until: next) }
    }
}
