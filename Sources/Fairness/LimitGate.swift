// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Logging
internal import Metrics
public import Plumbing
public import ResultStore
public import ServiceLifecycle
internal import Synchronization

/// Holds requests and new jobs against the limits of users, tokens and endpoints.
///
/// As a `Service` it rereads the file and asks the ledger for the users' jobs once a second, until a graceful shutdown.
/// Without a file it costs nothing and refuses nothing.
public final class LimitGate: Service {
    private struct State {
        var rates = RateCounts()
        var jobs = JobCounts()
        /// The store is passed over until then, since it did not answer.
        var storeAwayUntil: ContinuousClock.Instant?
        var isStoreAway = false
        var isLedgerAway = false
        var isRunning = false
    }

    private struct Ground: Sendable {
        var file: LimitsFile
        var results: any ResultStore
        var ledger: any Ledger
    }

    private let ground: Ground?
    private let interval: Duration
    private let clock: @Sendable () -> Timestamp
    private let logger: Logger
    private let state = Mutex(State())
    private let refused = Counter(label: "malla_limit_refused_total")

    /// Makes a gate that is always open.
    public init() {
        ground = nil
        interval = .seconds(1)
        clock = { .now }
        logger = Logger(label: "malla.limits")
    }

    /// Makes a gate.
    ///
    /// - Parameter file: the limits; nil for none.
    /// - Parameter results: where the processes count requests together.
    /// - Parameter clock: tells the time by which requests are counted.
    public init(
        file: LimitsFile?,
        results: any ResultStore,
        ledger: any Ledger,
        interval: Duration = .seconds(1),
        clock: @escaping @Sendable () -> Timestamp = { .now },
        logger: Logger = Logger(label: "malla.limits")
    ) {
        ground = file.map { Ground(file: $0, results: results, ledger: ledger) }
        self.interval = interval
        self.clock = clock
        self.logger = logger
    }

    /// Counts a request; the refusal of the first limit that it goes beyond.
    ///
    /// - Parameter token: the name of the token that it came with; nil not to count it for one.
    /// - Parameter user: the user, as jobs name it; nil not to count it for one.
    /// - Parameter endpoint: the operation; nil when it is none that can be limited.
    public func check(
        token: String? = nil,
        user: String? = nil,
        endpoint: LimitedEndpoint? = nil
    ) async -> LimitRefusal? {
        guard let ground else { return nil }
        let limits = ground.file.current
        var rules: [RateRule] = []
        if let endpoint, let count = limits.endpoints[endpoint.operation] {
            rules.append(RateRule(endpoint, count: count))
        }
        if let token, let allowance = limits.tokens[token],
            let rule = RateRule(allowance, key: "t:\(token)", whose: "token '\(token)'")
        {
            rules.append(rule)
        }
        if let user,
            let rule = RateRule(limits.allowance(ofUser: user), key: "u:\(user)", whose: "user '\(user)'")
        {
            rules.append(rule)
        }
        for rule in rules { if let refusal = await count(rule, ground) { return refused(refusal) } }
        return nil
    }

    /// Counts jobs that are about to be created, unless there would be too many; the refusal then.
    ///
    /// The jobs of a token are those of the users that it made jobs for, lately or still waiting.
    public func checkJobs(user: String, token: String? = nil, count: Int = 1) async -> LimitRefusal? {
        guard let ground else { return nil }
        let limits = ground.file.current
        let ofUser = limits.allowance(ofUser: user)
        let ofToken = token.flatMap { limits.tokens[$0] }.flatMap { $0.limitsJobs ? $0 : nil }
        guard ofUser.limitsJobs || ofToken != nil else { return nil }
        if !state.withLock({ $0.jobs.knows(user) }) { await ask([user], ground) }
        let now = ContinuousClock.now
        let refusal = state.withLock { state -> LimitRefusal? in
            state.jobs.note(user, token: ofToken == nil ? nil : token, at: now)
            if let ofToken, let token,
                let refusal = ofToken.refusal(state.jobs.load(ofToken: token), count, "token '\(token)'")
            {
                return refusal
            }
            if let refusal = ofUser.refusal(state.jobs.load(ofUser: user), count, "user '\(user)'") { return refusal }
            state.jobs.add(count, to: user)
            return nil
        }
        return refusal.map(refused)
    }

    /// Rereads the file and asks the ledger, once a second; a second run beside the first only waits for it.
    public func run() async throws {
        let isFirst = state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard isFirst, ground != nil else { return await Rounds.end() }
        await Rounds.run(every: interval) { await self.refresh() }
        state.withLock { $0.isRunning = false }
    }

    /// Rereads the file if it changed, and asks the ledger for the jobs of the users that were seen lately.
    public func refresh() async {
        guard let ground else { return }
        do throws(LimitsError) {
            if try await ground.file.reread() {
                logger.info("the limits were read again", metadata: [LogKey.file: "\(ground.file.path)"])
            }
        } catch {
            logger.error(
                "the changed limits can't be used; those before hold",
                metadata: [LogKey.file: "\(ground.file.path)", LogKey.error: "\(error)"]
            )
        }
        let users = state.withLock { $0.jobs.due(at: .now) }
        if !users.isEmpty { await ask(users, ground) }
    }

    private func refused(_ refusal: LimitRefusal) -> LimitRefusal {
        refused.increment()
        return refusal
    }

    private func count(_ rule: RateRule, _ ground: Ground) async -> LimitRefusal? {
        let moment = clock()
        let index = rule.index(at: moment)
        let (own, mayAsk) = state.withLock { state in
            (state.rates.add(to: rule, index: index), state.storeAwayUntil.map { $0 <= .now } ?? true)
        }
        // Who is beyond by what this process knows is refused without a word to the store: a flood stops here.
        if own > rule.count { return rule.refusal(at: moment) }
        guard mayAsk else { return nil }
        do throws(ResultStoreError) {
            let sum = try await ground.results.add(
                1,
                to: "rate:\(rule.key):\(rule.window):\(index)",
                timeToLive: .milliseconds(rule.window * 2)
            )
            let wasAway = state.withLock { state in
                state.rates.learn(sum, of: rule, index: index)
                state.storeAwayUntil = nil
                defer { state.isStoreAway = false }
                return state.isStoreAway
            }
            if wasAway { logger.info("requests are counted together again") }
            return sum > rule.count ? rule.refusal(at: moment) : nil
        } catch {
            let isNew = state.withLock { state in
                state.storeAwayUntil = .now + .seconds(1)
                defer { state.isStoreAway = true }
                return !state.isStoreAway
            }
            if isNew {
                logger.warning(
                    "requests can't be counted together; each process counts its own",
                    metadata: [LogKey.error: "\(error)"]
                )
            }
            return nil
        }
    }

    private func ask(_ users: [String], _ ground: Ground) async {
        let marks = state.withLock { $0.jobs.marks(of: users) }
        do throws(LedgerError) {
            let loads = try await ground.ledger.loads(ofUsers: users)
            state.withLock { state in
                state.jobs.learn(loads, marks: marks, at: .now)
                state.isLedgerAway = false
            }
        } catch {
            let isNew = state.withLock { state in
                defer { state.isLedgerAway = true }
                return !state.isLedgerAway
            }
            if isNew { logger.warning("users' jobs can't be counted", metadata: [LogKey.error: "\(error)"]) }
        }
    }
}

extension Allowance {
    fileprivate var limitsJobs: Bool { waitingJobs != nil || runningJobs != nil }

    fileprivate func refusal(_ load: UserLoad, _ count: Int, _ whose: String) -> LimitRefusal? {
        // Nobody knows when one of them ends.
        let pause = 5
        if let waitingJobs, load.waiting + count > waitingJobs {
            return LimitRefusal(limit: "waiting_jobs of \(whose)", value: String(waitingJobs), retryAfter: pause)
        }
        if let runningJobs, load.running >= runningJobs {
            return LimitRefusal(limit: "running_jobs of \(whose)", value: String(runningJobs), retryAfter: pause)
        }
        return nil
    }
}
