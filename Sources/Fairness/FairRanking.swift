// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Logging
internal import Metrics
internal import Plumbing
public import ServiceLifecycle
internal import Synchronization
internal import Workflow

/// Gives out the ranks of new jobs, and tells the other processes that do so how far it has come.
///
/// Whatever goes wrong between the processes costs fairness for a while, and nothing else. As a `Service` it tells and
/// learns once a second until a graceful shutdown.
public final class FairRanking: Service {
    private struct State {
        var ranks = FairRanks()
        var services: Set<String>
        var failures = 0
        var isRunning = false
    }

    private let ledger: any Ledger
    private let limits: LimitsFile?
    private let interval: Duration
    private let logger: Logger
    private let state: Mutex<State>

    /// Makes a ranking that knows of no job yet.
    ///
    /// - Parameter limits: where users' weights come from; without it all weigh the same.
    /// - Parameter services: the services to learn of before they get their first job here; others are learnt of then.
    public init(
        ledger: any Ledger,
        limits: LimitsFile? = nil,
        services: [String] = [],
        interval: Duration = .seconds(1),
        logger: Logger = Logger(label: "malla.fairness")
    ) {
        self.ledger = ledger
        self.limits = limits
        self.interval = interval
        self.logger = logger
        state = Mutex(State(services: Set(services)))
    }

    /// Learns of these services as well, from the next ``sync()`` on.
    public func watch(_ services: some Sequence<String>) { state.withLock { $0.services.formUnion(services) } }

    /// The rank of a user's next job; takes about a microsecond.
    ///
    /// - Parameter user: whose share it takes: of a direct job `labels.user ?? ownerService ?? "-"`, of a task's job
    ///   `app/user`.
    /// - Parameter priority: -7 to 7, brought within when it is beyond.
    public func rank(service: String, user: String, priority: Int = 0) -> Int64 {
        let weight = limits?.current.weight(ofUser: user) ?? 1
        let range = JobLabels.priorities
        let lane = FairRanks.Lane(
            service: service,
            priority: min(max(priority, range.lowerBound), range.upperBound)
        )
        return state.withLock { state in
            state.services.insert(service)
            return state.ranks.next(in: lane, user: user, weight: weight)
        }
    }

    /// Tells and learns now.
    ///
    /// - Throws: ``LedgerError``; what was to be told is told the next time then.
    public func sync() async throws(LedgerError) {
        let (fresh, services) = state.withLock { ($0.ranks.takeFresh(), $0.services.sorted()) }
        guard !services.isEmpty else { return }
        do throws(LedgerError) {
            let tails = fresh.map { FairTail(lane: $0.lane, user: $0.user, finish: $0.finish) }
            let view = try await ledger.share(tails, services: services)
            state.withLock { $0.ranks.learn(view.tails.map { ($0.lane, $0.user, $0.finish) }, heads: view.heads) }
        } catch {
            state.withLock { $0.ranks.putBack(fresh) }
            throw error
        }
    }

    /// Tells and learns until a graceful shutdown; a second run beside the first only waits for it.
    public func run() async throws {
        let isFirst = state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard isFirst else { return await Rounds.end() }
        await Rounds.run(every: interval) { await self.round() }
        state.withLock { $0.isRunning = false }
        // What the last second brought: the others should not give it out again.
        await round()
    }

    private func round() async {
        do throws(LedgerError) {
            try await sync()
            let failures = state.withLock { state in
                defer { state.failures = 0 }
                return state.failures
            }
            if failures > 0 { logger.info("ranks are shared again", metadata: [LogKey.count: "\(failures)"]) }
        } catch {
            let failures = state.withLock { state in
                state.failures += 1
                return state.failures
            }
            guard failures == 1 else { return }
            logger.warning(
                "ranks can't be shared; users' shares are fair within this process alone",
                metadata: [LogKey.error: "\(error)"]
            )
        }
    }
}
