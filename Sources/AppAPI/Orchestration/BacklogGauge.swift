// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Completions
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
        /// From when on created jobs are counted, and how many there were; some are stored late, so it lies back.
        var since: Timestamp?
        var created: [String: Int] = [:]
        var countedAt: ContinuousClock.Instant?
        /// The completions that waited to be settled; nil while the broker does not tell.
        var completions: Int?
    }

    /// How far back jobs are counted at least, and how long until the count begins anew.
    private static let lookBack: Duration = .seconds(5)

    /// A workflow, as it is named to people.
    private struct Known {
        var name: String
        var services: [String]
    }

    /// Tells of completions what the broker tells of messages.
    let fill = MessageFill()
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
        let now = clock()
        let decision = state.withLock { state in
            state.pace.decide(workflow: definition.hash, services: known.services, user: user, at: now)
        }
        guard case .refused(let refusal) = decision else { return nil }
        refused.increment()
        return refusal
    }

    /// The workflows whose new tasks are rationed, with how long what is queued for them will take.
    var rationed: [(name: String, wait: Duration)] {
        state.withLock { state in
            state.pace.rationed.compactMap { hash in
                workflows[hash].map { ($0.name, state.pace.wait(of: $0.services) ?? .zero) }
            }
        }
    }

    /// Counts a request that is refused because too many wait to be stored.
    func countRefused() { refused.increment() }

    /// Whether so much came lately that the loads are to be read again early.
    var isPressed: Bool { state.withLock(\.pace.isPressed) }

    /// Counts jobs that were just accepted.
    func add(_ jobs: [JobRecord]) {
        state.withLock { state in
            for record in jobs { state.waiting[record.job.service, default: 0] += 1 }
        }
    }

    /// Counts tasks that ended.
    func end(_ tasks: [TaskRecord]) {
        state.withLock { state in
            for task in tasks { state.pace.end(task.definition, 1) }
        }
    }

    /// Counts the completions of these queues that wait to be settled, about.
    func countCompletions(of queues: [String], at broker: any Broker) async throws(BrokerError) {
        do throws(BrokerError) {
            var messages = 0
            for queue in queues { messages += try await broker.depth(of: queue) ?? 0 }
            let count = fill.waiting(messages: messages)
            state.withLock { $0.completions = count }
            Gauge(label: "malla_completions_waiting").record(count)
        } catch {
            state.withLock { $0.completions = nil }
            throw error
        }
    }

    /// Reads the loads again.
    func refresh() async throws(LedgerError) {
        let services = limits.keys.sorted()
        let loads = try await ledger.loads(of: services)
        // The pace alone asks for it, and it is not cheap: all jobs of the last seconds are looked at.
        let isPaced = state.withLock { $0.pace.patience > .zero }
        let created = isPaced ? try await created(of: services) : [:]
        learn(loads, created: created)
    }

    /// Takes the loads of services and how many of their jobs were created since the last time, by whomever.
    func learn(_ loads: [ServiceLoad], created: [String: Int]) {
        let now = clock()
        let changes = state.withLock { state in
            for load in loads {
                state.waiting[load.service] = load.waiting
                let (held, created) = (load.waiting - load.due, created[load.service, default: 0])
                // What waits for another attempt neither left nor queues.
                state.pace.learn(
                    load.service,
                    waiting: load.due,
                    running: load.running + held,
                    created: created,
                    at: now
                )
            }
            state.pace.learn(completions: state.completions, at: now)
            return state.pace.judge(workflows.mapValues(\.services), at: now)
        }
        for (hash, change) in changes {
            if let workflow = workflows[hash] { log(workflow, isRationed: change == .began) }
        }
    }

    /// How many jobs were created since the last time.
    private func created(of services: [String]) async throws(LedgerError) -> [String: Int] {
        let (since, before, countedAt) = state.withLock { ($0.since, $0.created, $0.countedAt) }
        var (counts, fresh): ([String: Int], [String: Int]) = ([:], [:])
        if let since {
            counts = try await ledger.created(of: services, since: since)
            fresh = counts.reduce(into: [:]) { $0[$1.key] = max(0, $1.value - before[$1.key, default: 0]) }
        }
        let now = ContinuousClock.now
        guard countedAt.map({ now - $0 >= Self.lookBack }) ?? true else {
            state.withLock { $0.created = counts }
            return fresh
        }
        let next = try await ledger.time() - Self.lookBack
        let again = try await ledger.created(of: services, since: next)
        state.withLock { ($0.since, $0.created, $0.countedAt) = (next, again, now) }
        return fresh
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
