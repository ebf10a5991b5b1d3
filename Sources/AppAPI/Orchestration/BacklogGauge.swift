// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Logging
import Metrics
import Plumbing
import Synchronization
import Workflow

/// How full the services' backlogs are: what the ledger said last, plus what this process has accepted since; and which
/// new tasks are refused because of it.
final class BacklogGauge: Sendable {
    private struct State {
        var waiting: [String: Int] = [:]
        var pace: QueuePace
    }

    /// A workflow, as it is named to people.
    private struct Known {
        var name: String
        var services: [String]
    }

    private let ledger: any Ledger
    private let limits: [String: Int]
    private let workflows: [String: Known]
    private let clock: @Sendable () -> ContinuousClock.Instant
    private let logger: Logger
    private let state: Mutex<State>
    private let refused = Counter(label: "malla_overload_refused_total")

    /// Makes a gauge that knows of no job yet.
    ///
    /// - Parameter patience: how long what is queued may need until new tasks are rationed; zero for ever.
    init(
        ledger: any Ledger,
        catalog: AppCatalog,
        patience: Duration = .zero,
        clock: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        logger: Logger = Logger(label: "malla.backlog")
    ) {
        self.ledger = ledger
        self.clock = clock
        self.logger = logger
        limits = catalog.services.mapValues(\.backlog)
        workflows = catalog.apps.values.reduce(into: [:]) { known, app in
            for (method, definition) in app.methods {
                let services = Set(definition.stages.map(\.service)).sorted()
                known[definition.hash] = Known(name: "\(app.name)/\(method)", services: services)
            }
        }
        state = Mutex(State(pace: QueuePace(patience: patience)))
    }

    /// The first of these services whose backlog is full, with its limit.
    func full(among services: some Sequence<String>) -> (service: String, limit: Int)? {
        state.withLock { state in
            for service in services {
                if let limit = limits[service], state.waiting[service, default: 0] >= limit { return (service, limit) }
            }
            return nil
        }
    }

    /// Why a user's new task of a workflow is refused, when more waits than can be done in a reasonable time.
    func overload(_ definition: WorkflowDefinition, user: String) -> QueuePace.Refusal? {
        guard let known = workflows[definition.hash] else { return nil }
        let (decision, began) = state.withLock { state in
            let was = state.pace.isRationed(definition.hash)
            let decision = state.pace.decide(
                workflow: definition.hash,
                services: known.services,
                user: user,
                at: clock()
            )
            return (decision, !was && state.pace.isRationed(definition.hash))
        }
        if began { log(known, isRationed: true) }
        guard case .refused(let refusal) = decision else { return nil }
        refused.increment()
        return refusal
    }

    /// The workflows whose new tasks are rationed, with how long what is queued for them will take.
    var rationed: [(name: String, wait: Duration)] {
        state.withLock { state in
            state.pace.rationed.compactMap { hash in
                workflows[hash].map { ($0.name, state.pace.wait(of: $0.services)?.wait ?? .zero) }
            }
        }
    }

    /// Counts jobs that were just accepted.
    func add(_ jobs: [JobRecord]) {
        state.withLock { state in
            for record in jobs {
                state.waiting[record.job.service, default: 0] += 1
                state.pace.add(1, to: record.job.service)
            }
        }
    }

    /// Counts jobs of begun tasks that were just created.
    func addLater(_ jobs: [Job]) {
        state.withLock { state in
            for job in jobs { state.pace.add(1, to: job.service) }
        }
    }

    /// Reads the loads again.
    func refresh() async throws(LedgerError) {
        let marks = state.withLock { $0.pace.marks() }
        let loads = try await ledger.loads(of: limits.keys.sorted())
        let now = clock()
        let ended = state.withLock { state in
            for load in loads {
                state.waiting[load.service] = load.waiting
                state.pace.learn(load.service, open: load.waiting + load.running, marks: marks, at: now)
            }
            return state.pace.rationed.compactMap { hash in
                workflows[hash].flatMap { state.pace.end(workflow: hash, services: $0.services) ? $0 : nil }
            }
        }
        for known in ended { log(known, isRationed: false) }
    }

    private func log(_ workflow: Known, isRationed: Bool) {
        Gauge(label: "malla_overload", dimensions: [("workflow", workflow.name)]).record(isRationed ? 1 : 0)
        let metadata: Logger.Metadata = [
            "malla.workflow": "\(workflow.name)", LogKey.service: "\(workflow.services.joined(separator: ", "))",
        ]
        if isRationed {
            logger.warning("more waits than can be done soon; new tasks are rationed", metadata: metadata)
        } else {
            logger.notice("the queue is short again; all new tasks are taken", metadata: metadata)
        }
    }
}
