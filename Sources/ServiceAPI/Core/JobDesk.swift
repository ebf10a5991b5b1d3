// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Fairness
import HTTPTypes
import Ledger
import Logging
import Plumbing
import ResultStore
import ServiceLifecycle
import Workflow

/// The one core of all dialects: creates, finds and controls jobs, whoever asked for them and in whatever words.
///
/// It keeps no state of its own: what it knows is in the ledger, so a job made in one dialect is there in the others.
/// Calls throw ``Problem`` when the caller is wrong and `LedgerError` when the ledger is away.
struct JobDesk: Sendable {
    let parts: ServiceParts
    let choice: ServiceChoice
    let admission: Admission
    let bell: Bell
    let ends: EndWaiters
    let followUp: DirectFollowUp
    /// Keeps what workers elsewhere handed in until it is settled.
    let reports: ReportOutbox
    /// Tells of workers that speak HTTP.
    let presence: RemotePresence
    /// How long a lease lasts that is held over HTTP, when the worker names no time (`WORKER_LEASE_TIMEOUT`).
    let leaseDuration: Duration

    /// The longest that a call is held open for jobs before it looks again by itself; the timers ring once a second for
    /// jobs that are due, so this is for when they do not.
    static let lookAgain: Duration = .seconds(3)

    var ledger: any Ledger { parts.ledger }

    /// The job with its payloads.
    ///
    /// - Throws: ``Problem`` (404).
    func find(_ id: JobID) async throws -> JobRecord {
        guard let record = try await ledger.job(id) else {
            throw Problem(.notFound, "there is no job '\(id)'; finished ones are deleted after a while", field: "id")
        }
        return record
    }

    /// The job by the text of its id.
    ///
    /// - Throws: ``Problem`` (404), also when the text is no id.
    func find(_ text: String) async throws -> JobRecord {
        guard let id = MeshID(text) else {
            throw Problem(.notFound, "'\(text.prefix(64))' is not the id of a job: a UUID is", field: "id")
        }
        return try await find(id)
    }

    /// Waits until a job has ended, at most `limit`; returns it as it is then.
    func end(of id: JobID, within limit: Duration) async throws -> JobRecord {
        let until = ContinuousClock.now + limit
        while true {
            let (record, isOver) = try await ends.listening(for: id) { waiter in
                let record = try await find(id)
                let rest = until - .now
                if record.job.state.isFinal || rest <= .zero || Task.isShuttingDownGracefully { return (record, true) }
                // The hint may be lost, so the ledger is asked now and then.
                try await waiter.value(within: min(rest, .milliseconds(500)))
                return (record, false)
            }
            if isOver { return record }
        }
    }

    // MARK: Control

    /// Cancels a job.
    ///
    /// - Throws: ``Problem`` (409) when it has ended.
    func cancel(_ id: JobID) async throws -> JobRecord {
        let record = try await find(id)
        guard !record.job.state.isFinal else { throw Self.conflict(record.job, "be cancelled") }
        try await cancel([record.job])
        let after = record.job.app == nil ? try await find(id) : try await end(of: id, within: .seconds(2))
        // Someone else ended it first.
        if after.job.state.isFinal, after.job.state != .cancelled { throw Self.conflict(after.job, "be cancelled") }
        return after
    }

    /// Cancels those of the jobs that have not ended; returns how many that were.
    ///
    /// Jobs of tasks are cancelled by their App API, soon after.
    @discardableResult
    func cancel(_ jobs: [Job]) async throws -> Int {
        let open = jobs.filter { !$0.state.isFinal }
        let direct = open.filter { $0.app == nil }
        let others = open.compactMap { job in
            job.app.map { app in
                Message(queue: QueueName.completions(app: app), body: JobCancellation(job: job.id).body)
            }
        }
        var changed = 0
        if !direct.isEmpty {
            let outcome = try await settle(direct.map { Settlement(job: $0.id, event: .cancelled) })
            changed = outcome.verdicts.count { $0 == .applied(.cancelled) }
        }
        if !others.isEmpty { try await parts.broker.publish(others) }
        return changed + others.count
    }

    /// Makes a job run again: see `JobEvent.retried`.
    ///
    /// - Throws: ``Problem`` (409) when its state does not allow it.
    func retry(_ id: JobID) async throws -> JobRecord {
        let record = try await find(id)
        guard try await retry([record.job]) == 1 else { throw Self.conflict(record.job, "be retried") }
        return try await find(id)
    }

    /// Makes those of the jobs run again that can; returns how many that were.
    @discardableResult
    func retry(_ jobs: [Job]) async throws -> Int {
        guard !jobs.isEmpty else { return 0 }
        let outcome = try await settle(jobs.map { Settlement(job: $0.id, event: .retried) })
        let stopped = jobs.filter { $0.state == .running }.compactMap(\.lease)
        if !stopped.isEmpty { parts.results.tell(.cancelled(stopped)) }
        return outcome.verdicts.count { $0 == .applied(.waiting) }
    }

    /// Settles events of direct jobs, or such of others that change no run, and does what follows.
    @discardableResult
    func settle(_ settlements: [Settlement]) async throws -> SettleOutcome {
        let outcome = try await ledger.settle(settlements, tasks: [], finishing: DirectFinishing())
        followUp.settled(outcome)
        return outcome
    }

    static func conflict(_ job: Job, _ what: String) -> Problem {
        let hint = job.task != nil && job.state.isFinal ? "; a job of a task that ended is retried as a new task" : ""
        return Problem(
            .conflict,
            "the job \(job.state.isFinal ? "has ended as" : "is") \(job.state.contractStatus): it can't \(what)\(hint)",
            field: "status"
        )
    }
}
