// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Hummingbird
import Ledger
import Logging
import Metrics
import Plumbing
import Synchronization
import Workflow

/// Accepts tasks: many requests become one transaction, and the first jobs are handed over after its commit.
final class TaskIntake: Sendable {
    private let ledger: any Ledger
    private let broker: any Broker
    private let backlog: BacklogGauge
    private let followUp: CommitFollowUp
    private let batcher: Batcher<NewTask, NewTask.Acceptance>
    /// Requests that wait for their commit, and when one was answered last, or began to wait alone.
    private let storing: Mutex<(count: Int, movedAt: ContinuousClock.Instant)>
    private let clock: @Sendable () -> ContinuousClock.Instant
    private let brokerVerdict = Mutex<(at: ContinuousClock.Instant, answers: Bool)?>(nil)

    init(
        ledger: any Ledger,
        broker: any Broker,
        backlog: BacklogGauge,
        followUp: CommitFollowUp,
        clock: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.ledger = ledger
        self.clock = clock
        storing = Mutex((0, clock()))
        self.broker = broker
        self.backlog = backlog
        self.followUp = followUp
        batcher = Batcher(lanes: 2, maxSize: 128) { requests in
            let results = await Self.accept(requests, ledger)
            followUp.stored(zip(requests, results).filter { (try? $0.1.get()) == .created }.map(\.0))
            return results
        }
    }

    /// The task that the same request made before; nil for a new one.
    func earlier(
        app: String,
        user: String,
        request: String,
        fingerprint: [UInt8]
    ) async throws(MarketplaceRefusal) -> TaskID? {
        let found: NewTask.Acceptance?
        do throws(LedgerError) {
            found = try await ledger.earlier(app: app, user: user, request: request, fingerprint: fingerprint)
        } catch {
            throw .ledger(error)
        }
        switch found {
        case nil, .created: return nil
        case .repeated(let task): return task
        case .clash(let task): throw Self.clash(request, task)
        }
    }

    /// Whether a service that the workflow needs has all the work it may queue.
    func isFull(_ definition: WorkflowDefinition) -> Bool {
        backlog.full(among: definition.stages.lazy.map(\.service)) != nil
    }

    /// Requests that may wait for their commit at one time: a burst that is stored within a fraction of a second.
    static let storingAtMost = 1024
    /// A ledger that stores nothing for so long while all of them wait is away, and not busy.
    private static let storingAtLongest: Duration = .seconds(2)

    /// Whether as many wait as may.
    var isStoringAtMost: Bool { storing.withLock { $0.count } >= Self.storingAtMost }

    /// Why a user's new task is not taken while the mesh has more to do than it can; throws while the ledger hangs.
    func overload(_ definition: WorkflowDefinition, user: String) throws(MarketplaceRefusal) -> QueuePace.Refusal? {
        guard isStoringAtMost else { return backlog.overload(definition, user: user) }
        let (count, movedAt) = storing.withLock { $0 }
        guard clock() - movedAt < Self.storingAtLongest else {
            throw .ledgerAway("\(count) requests wait to be stored")
        }
        backlog.countRefused()
        return QueuePace.Refusal(wait: .seconds(1), retryAfter: .seconds(1), mayLookUp: false)
    }

    /// Refuses when a service that the workflow needs has all the work it may queue.
    func admit(_ definition: WorkflowDefinition) async throws(MarketplaceRefusal) {
        guard let full = backlog.full(among: definition.stages.lazy.map(\.service)) else { return }
        let reason = "the backlog of service \(full.service) is full (\(full.limit) jobs wait)"
        if await brokerAnswers() {
            throw MarketplaceRefusal(.notPermitted, .tooManyRequests, reason, retryAfter: .seconds(5))
        }
        throw MarketplaceRefusal(
            .brokerAway,
            .serviceUnavailable,
            "\(reason) and the message broker does not answer",
            retryAfter: .seconds(10)
        )
    }

    /// Stores a task, or finds the one that the same request made before.
    func accept(_ request: NewTask) async throws(MarketplaceRefusal) -> TaskID {
        let acceptance: NewTask.Acceptance
        storing.withLock { $0 = ($0.count + 1, $0.count == 0 ? clock() : $0.movedAt) }
        defer { storing.withLock { $0 = ($0.count - 1, clock()) } }
        do {
            acceptance = try await batcher.submit(request)
        } catch let error as LedgerError {
            throw .ledger(error)
        } catch {
            throw .ledgerAway("the request was cancelled")
        }
        switch acceptance {
        case .created:
            Counter(label: "malla_tasks_accepted_total", dimensions: [("app", request.task.app)]).increment()
            backlog.add(request.jobs)
            followUp.accepted(request)
            return request.task.id
        case .repeated(let task):
            return task
        case .clash(let task):
            throw Self.clash(request.task.request, task)
        }
    }

    private static func clash(_ request: String, _ task: TaskID) -> MarketplaceRefusal {
        MarketplaceRefusal(
            .invalid,
            .conflict,
            "x-request-id: '\(request)' was used before with another body, by task \(task)"
        )
    }

    private static func accept(
        _ requests: [NewTask],
        _ ledger: any Ledger
    ) async -> [Result<NewTask.Acceptance, any Error>] {
        for attempt in 1... {
            do throws(LedgerError) {
                return try await ledger.accept(requests).map { .success($0) }
            } catch {
                if error.code == .conflict, attempt < 3 { continue }
                guard !error.isRetriable, requests.count > 1 else { return requests.map { _ in .failure(error) } }
                break
            }
        }
        // One request that can't be stored must not refuse the others.
        var results: [Result<NewTask.Acceptance, any Error>] = []
        for request in requests { results += await accept([request], ledger) }
        return results
    }

    private func brokerAnswers() async -> Bool {
        if let last = brokerVerdict.withLock({ $0 }), ContinuousClock.now - last.at < .seconds(1) {
            return last.answers
        }
        let answers: Bool
        do throws(BrokerError) {
            try await broker.ping()
            answers = true
        } catch {
            answers = false
        }
        brokerVerdict.withLock { $0 = (.now, answers) }
        return answers
    }
}
