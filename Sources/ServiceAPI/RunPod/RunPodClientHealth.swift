// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import Plumbing
import Synchronization
import Workflow

/// Answers `/health`: how many jobs of an endpoint wait, run and have ended, and what its workers do.
///
/// What ended is counted over the last hour for all endpoints at once, and remembered for a while: clients ask often,
/// and it must cost the ledger next to nothing.
final class RunPodClientHealth: Sendable {
    private struct Count {
        var task: Task<[String: JobStatistics], any Error>
        var until: ContinuousClock.Instant
    }

    private let desk: JobDesk
    private let count = Mutex<Count?>(nil)

    private static let span: Duration = .seconds(3600)
    private static let memory: Duration = .seconds(2)
    /// The running jobs that are looked at for their workers.
    private static let runningLimit = 1000
    /// Counting takes at most one part of so many of the ledger's time.
    private static let share = 20

    init(desk: JobDesk) {
        self.desk = desk
    }

    /// `GET /v2/{endpoint}/health`.
    func health(of endpoint: String) async throws -> Response {
        let service = try desk.choice.service(named: endpoint).name
        let load = try await desk.ledger.loads(of: [service]).first
        let ended = try await ended()[service]
        let workers = try await desk.ledger.workers().filter { $0.isAlive && $0.beat.services.contains(service) }
        let failed = (ended?.states[.failed] ?? 0) + (ended?.states[.timedOut] ?? 0)
        let json: JSON = [
            "jobs": [
                "completed": Self.number(ended?.states[.succeeded]), "failed": Self.number(failed),
                "inProgress": Self.number(load?.running), "inQueue": Self.number(load?.waiting),
                "retried": Self.number(ended?.repeats),
            ],
            "workers": Self.workers(workers.map(\.beat), of: service, busy: try await busyWorkers(of: service)),
        ]
        return .runPod(json.bytes)
    }

    /// The workers that hold jobs of a service now; a beat tells it only some time later.
    private func busyWorkers(of service: String) async throws -> Set<String> {
        var query = JobQuery(limit: Self.runningLimit)
        query.services = [service]
        query.states = [.running]
        return Set(try await desk.ledger.jobs(query).compactMap(\.worker))
    }

    private static func workers(_ workers: [WorkerBeat], of service: String, busy: Set<String>) -> JSON {
        let free = workers.filter { !$0.isDraining && !busy.contains($0.worker) }
        let troubled = free.count { isTroubled($0, service) }
        return [
            "idle": number(free.count - troubled), "initializing": 0, "ready": number(free.count - troubled),
            "running": number(busy.count), "throttled": 0, "unhealthy": number(troubled),
        ]
    }

    /// Whether this very service has trouble at a worker; others that it serves may have theirs.
    private static func isTroubled(_ worker: WorkerBeat, _ service: String) -> Bool {
        guard let trouble = worker.trouble, let services = try? JSON(parsing: trouble) else { return false }
        return services[service]?.array?.isEmpty == false
    }

    private static func number(_ value: Int?) -> JSON { .number(JSONNumber(value ?? 0)) }

    private func ended() async throws -> [String: JobStatistics] {
        let task = count.withLock { count -> Task<[String: JobStatistics], any Error> in
            if let count, count.until > .now { return count.task }
            let task = Task { try await self.ask() }
            // Until it is known how long it took; nobody asks a second time beside it.
            count = Count(task: task, until: .now + .seconds(60))
            return task
        }
        do {
            return try await task.value
        } catch {
            count.withLock { if $0?.task == task { $0 = nil } }
            throw error
        }
    }

    private func ask() async throws -> [String: JobStatistics] {
        let start = ContinuousClock.now
        let query = JobStatisticsQuery(from: .now - Self.span, grouping: .service)
        let all = try await desk.ledger.statistics(query)
        let until = ContinuousClock.now + max(Self.memory, (ContinuousClock.now - start) * Self.share)
        count.withLock { $0?.until = until }
        return Dictionary(all.map { ($0.group, $0) }) { $1 }
    }
}
