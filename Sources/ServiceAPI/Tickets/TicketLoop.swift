// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Callbacks
import Ledger
import Logging
import Metrics
import Plumbing
import ServiceLifecycle
import Workflow

/// Replaces lost tickets, and makes those that ``Admission`` has put off: where a service has more due jobs than its
/// queue has tickets for, publishes the difference, up to the limit.
///
/// Once a second it also runs the ledger's timers (promotions, the reaper, direct jobs' limits), and recounts what
/// waits, for ``Admission`` and the metrics; every few seconds where a hundred thousand jobs take long to count. Losing
/// the broker's data is thus a delay of seconds, not a loss. The timers go on while the broker is away: a
/// question to it may take seconds, and the reaper judges nobody after a gap. Beside them it takes the due webhooks of
/// direct jobs, and wakes whoever waits for jobs over HTTP.
struct TicketLoop: Service {
    private let services: [String: ServiceDefinition]
    /// Those whose jobs nobody takes by tickets.
    private let remote: Set<String>
    private let parts: ServiceParts
    private let admission: Admission
    private let bell: Bell
    private let followUp: DirectFollowUp
    private let timers: LedgerTimers
    private let logger: Logger
    private let period: Duration

    private var ledger: any Ledger { parts.ledger }
    private var broker: any Broker { parts.broker }

    /// How many more tickets than due jobs a queue may hold before it gets no further ones.
    static let surplusLimit = 1000

    /// Makes the loop for the services that `desk` serves.
    init(desk: JobDesk, timers: LedgerTimers, period: Duration = .seconds(1)) {
        services = desk.choice.services
        remote = Set(desk.choice.services.values.filter { $0.engine == .remote }.map(\.name))
        parts = desk.parts
        admission = desk.admission
        bell = desk.bell
        followUp = desk.followUp
        self.timers = timers
        logger = desk.parts.logger
        self.period = period
    }

    /// Runs until it is cancelled or shut down.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            let (turns, next) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            await withDiscardingTaskGroup { group in
                group.addTask {
                    await keepTime(before: next)
                    next.finish()
                }
                group.addTask { await keepTickets(after: turns) }
            }
        }
    }

    /// Turns the timers, and after each turn lets the tickets be counted.
    private func keepTime(before next: AsyncStream<Void>.Continuation) async {
        let backoff = Backoff(base: period, cap: .seconds(5))
        var failures = 0
        while !Task.isCancelled {
            do throws(LedgerError) {
                try await turnTimers()
                if failures > 0 { logger.info("the timers reach the ledger again") }
                failures = 0
            } catch {
                failures += 1
                if failures == 1 {
                    logger.warning("the timers can't reach the ledger", metadata: [LogKey.error: "\(error)"])
                }
            }
            // Whatever became of the timers: jobs that are due need their tickets.
            next.yield()
            let pause = failures > 0 ? backoff.delay(afterFailures: failures) : period
            // A cancelled sleep ends the loop by its condition.
            try? await Task.sleep(for: pause)
        }
    }

    private func keepTickets(after turns: AsyncStream<Void>) async {
        var isFailing = false
        var pace = CostPace(share: 0.03, longest: .seconds(4))
        for await _ in turns where pace.isDue(at: .now) {
            let start = ContinuousClock.now
            do {
                try await countTickets { pace.note(from: start, to: .now) }
                if isFailing { logger.info("tickets are watched again") }
                isFailing = false
            } catch {
                if !isFailing, !Task.isCancelled {
                    logger.warning("tickets can't be watched now", metadata: [LogKey.error: "\(error)"])
                }
                isFailing = true
            }
        }
    }

    private func turnTimers() async throws(LedgerError) {
        // What was reaped has waited long enough; what became due gets its tickets with the next count.
        try await timers.turn { turn in
            for outcome in turn.outcomes { followUp.settled(outcome) }
            admission.post(turn.reaped)
            Counter(label: "malla_jobs_orphaned_total").increment(by: turn.reaped.count)
            for job in turn.reaped {
                logger.warning(
                    "a job of a dead worker waits again",
                    metadata: [LogKey.job: "\(job.id)", LogKey.service: "\(job.service)"]
                )
            }
        }
        try await parts.callbacks.takeDue(of: [CallbackRecord.directApp], from: ledger)
    }

    /// Compares the due jobs of every service with the tickets in its queue, and publishes those that are missing.
    ///
    /// - Parameter whenRead: called when the jobs have been counted, which is what may take long.
    /// - Throws: ``LedgerError`` or ``BrokerError``; a fault of one queue is thrown once the others have been seen to.
    func countTickets(whenRead: () -> Void = {}) async throws {
        let loads = try await ledger.loads(of: services.keys.sorted())
        whenRead()
        let workers = try await ledger.workers().filter(\.isAlive).map(\.beat)
        bell.learn(remote: workers.filter(\.isRemote).reduce(into: []) { $0.formUnion($1.services) })
        var fault: BrokerError?
        for load in loads {
            if load.due > 0 { bell.ring(load.service, isOurs: false) }
            Gauge(label: "malla_jobs_waiting", dimensions: [("service", load.service)]).record(load.waiting)
            Gauge(label: "malla_jobs_running", dimensions: [("service", load.service)]).record(load.running)
            // A job that was set aside does not wait yet.
            admission.recount(load.service, waiting: load.due)
            let own = workers.count { !$0.isRemote && !$0.isDraining && $0.services.contains(load.service) }
            admission.account(of: load.service) { $0.note(workers: own) }
            // A broker that is away is not asked again for each queue.
            if remote.contains(load.service) || fault?.isRetriable == true { continue }
            do throws(BrokerError) {
                if let service = services[load.service] { try await replaceTickets(of: service, load) }
            } catch {
                if fault == nil || error.isRetriable { fault = error }
            }
        }
        if let fault { throw fault }
    }

    /// Publishes the tickets that a queue lacks.
    private func replaceTickets(of service: ServiceDefinition, _ load: ServiceLoad) async throws(BrokerError) {
        let queue = QueueName.tickets(service: load.service)
        var depth = 0
        if let found = try await broker.depth(of: queue) { depth = found } else { try await broker.declare(queue) }
        let tickets = admission.account(of: load.service) { account in
            let there = account.jobs(inTickets: depth)
            let missing = max(0, min(load.due, QueueAccount.ticketLimit(of: service)) - there)
            account.note(ticketed: there + missing, isSurplus: depth - load.due > Self.surplusLimit)
            return account.tickets(missing)
        }
        guard let tickets, !tickets.isEmpty else { return }
        let missing = tickets.reduce(0) { $0 + $1.count }
        try await broker.publish(tickets.map { Message(queue: queue, body: $0.body) })
        Counter(label: "malla_tickets_replaced_total", dimensions: [("service", load.service)]).increment(by: missing)
        logger.debug(
            "tickets were replaced",
            metadata: [LogKey.service: "\(load.service)", LogKey.count: "\(missing)"]
        )
    }
}
