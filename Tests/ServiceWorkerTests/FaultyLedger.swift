// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Synchronization
import Workflow

/// A real ledger whose connection can be cut, and that counts the claims.
final class FaultyLedger: Ledger {
    private struct Claimed: Sendable {
        var body: (@Sendable () async -> Void)?
    }

    let inner: any Ledger
    private let state = Mutex((isDown: false, refused: 0))
    private let claims = Mutex<[String: Int]>([:])
    private let returns = Mutex<Set<LeaseID>>([])
    private let claimedRanks = Mutex<[Int64]>([])
    private let slowness = Mutex(Duration.zero)
    private let claimed = Mutex(Claimed())

    init(_ inner: any Ledger) { self.inner = inner }

    /// Whether every call fails.
    var isDown: Bool {
        get { state.withLock { $0.isDown } }
        set { state.withLock { $0.isDown = newValue } }
    }

    /// The leases that the ledger was asked to take back.
    var returned: Set<LeaseID> { returns.withLock { $0 } }

    /// How many calls were refused.
    var refused: Int { state.withLock { $0.refused } }

    /// How many leases a worker asked jobs for.
    func claims(of worker: String) -> Int { claims.withLock { $0[worker] ?? 0 } }

    /// The ranks from which on jobs were claimed, where not all were looked at.
    var ranks: [Int64] { claimedRanks.withLock { $0 } }

    /// How long answers to claims and beats take.
    var delay: Duration {
        get { slowness.withLock { $0 } }
        set { slowness.withLock { $0 = newValue } }
    }

    private func linger() async throws(LedgerError) {
        do { try await Task.sleep(for: delay) } catch { throw LedgerError(.unavailable, "given up") }
    }

    /// Has `body` called between a claim that gave jobs and its answer.
    func whenClaimed(_ body: @escaping @Sendable () async -> Void) { claimed.withLock { $0.body = body } }

    /// Throws while the connection is cut.
    func check() throws(LedgerError) {
        let isDown = state.withLock { state in
            if state.isDown { state.refused += 1 }
            return state.isDown
        }
        if isDown { throw LedgerError(.unavailable, "cut by the test") }
    }

    func migrate() async throws(LedgerError) {
        try check()
        try await inner.migrate()
    }

    func ping() async throws(LedgerError) {
        try check()
        try await inner.ping()
    }

    func store(definitions: [WorkflowDefinition]) async throws(LedgerError) {
        try check()
        try await inner.store(definitions: definitions)
    }

    func accept(_ requests: [NewTask]) async throws(LedgerError) -> [NewTask.Acceptance] {
        try check()
        return try await inner.accept(requests)
    }

    func definition(hash: String) async throws(LedgerError) -> WorkflowDefinition? {
        try check()
        return try await inner.definition(hash: hash)
    }

    func earlier(
        app: String,
        user: String,
        request: String,
        fingerprint: [UInt8]
    ) async throws(LedgerError) -> NewTask.Acceptance? {
        try check()
        return try await inner.earlier(app: app, user: user, request: request, fingerprint: fingerprint)
    }

    @discardableResult
    func existing(_ labels: [JobLabels]) async throws(LedgerError) -> [JobID?] {
        try check()
        return try await inner.existing(labels)
    }

    func create(_ jobs: [JobRecord]) async throws(LedgerError) -> [JobCreation] {
        try check()
        return try await inner.create(jobs)
    }

    func settle(
        _ settlements: [Settlement],
        tasks: [TaskSettlement],
        finishing: any RunFinishing
    ) async throws(LedgerError) -> SettleOutcome {
        try check()
        return try await inner.settle(settlements, tasks: tasks, finishing: finishing)
    }

    func claim(
        service: String,
        worker: String,
        leases: [LeaseID],
        from rank: Int64?
    ) async throws(LedgerError) -> [JobRecord] {
        try check()
        claims.withLock { $0[worker, default: 0] += leases.count }
        if let rank { claimedRanks.withLock { $0.append(rank) } }
        let records = try await inner.claim(service: service, worker: worker, leases: leases, from: rank)
        if !records.isEmpty { await claimed.withLock { $0 }.body?() }
        try await linger()
        return records
    }

    func handBack(_ leases: [LeaseProbe]) async throws(LedgerError) -> [Job] {
        try check()
        defer { returns.withLock { $0.formUnion(leases.map(\.lease)) } }
        return try await inner.handBack(leases)
    }

    func beat(_ beat: WorkerBeat, leases: [LeaseProbe]) async throws(LedgerError) -> [LeaseProbe.Standing] {
        try check()
        let standings = try await inner.beat(beat, leases: leases)
        try await linger()
        return standings
    }

    func assigned(to worker: String, olderThan age: Duration) async throws(LedgerError) -> [LeaseProbe] {
        try check()
        return try await inner.assigned(to: worker, olderThan: age)
    }

    func retire(worker: String) async throws(LedgerError) {
        try check()
        try await inner.retire(worker: worker)
    }

    func reap(olderThan age: Duration, limit: Int) async throws(LedgerError) -> (ready: [Job], poison: [Job]) {
        try check()
        return try await inner.reap(olderThan: age, limit: limit)
    }

    func promote(limit: Int) async throws(LedgerError) -> [String: Int] {
        try check()
        return try await inner.promote(limit: limit)
    }

    func overdue(
        apps: [String]?,
        limit: Int
    ) async throws(LedgerError) -> (jobs: [Settlement], tasks: [TaskSettlement]) {
        try check()
        return try await inner.overdue(apps: apps, limit: limit)
    }

    func postpone(_ jobs: [JobID], by delay: Duration) async throws(LedgerError) {
        try check()
        try await inner.postpone(jobs, by: delay)
    }

    func loads(of services: [String]) async throws(LedgerError) -> [ServiceLoad] {
        try check()
        return try await inner.loads(of: services)
    }
}
