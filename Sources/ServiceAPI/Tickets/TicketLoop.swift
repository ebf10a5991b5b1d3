// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient
public import Ledger
public import Logging
import Metrics
import Plumbing
public import ServiceLifecycle
import Workflow

/// Replaces lost tickets: where a service has more due jobs than its queue has messages, publishes the difference.
///
/// Once a second it also runs the ledger's timers (promotions, the reaper, direct jobs' limits), and recounts what
/// waits, for ``Admission`` and the metrics. Losing the broker's data is thus a delay of about a second, not a loss.
/// The timers go on while the broker is away: a question to it may take seconds, and the reaper judges nobody after
/// a gap.
public struct TicketLoop: Service {
    private let services: [String]
    private let ledger: any Ledger
    private let broker: any Broker
    private let admission: Admission
    private let timers: LedgerTimers
    private let logger: Logger
    private let period: Duration

    /// The most tickets that one turn replaces per service.
    static let replacementLimit = 5000

    /// Makes the loop for the services that `admission` serves.
    public init(
        services: [String],
        ledger: any Ledger,
        broker: any Broker,
        admission: Admission,
        timers: LedgerTimers,
        logger: Logger,
        period: Duration = .seconds(1)
    ) {
        self.services = services.sorted()
        self.ledger = ledger
        self.broker = broker
        self.admission = admission
        self.timers = timers
        self.logger = logger
        self.period = period
    }

    /// Runs until it is cancelled or shut down.
    public func run() async throws {
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
        for await _ in turns {
            do {
                try await countTickets()
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
        // What became due or was reaped needs tickets; the count that follows sees it and replaces them.
        try await timers.turn { turn in
            for job in turn.reaped {
                logger.warning(
                    "a job of a dead worker waits again",
                    metadata: [LogKey.job: "\(job.id)", LogKey.service: "\(job.service)"]
                )
            }
        }
    }

    /// Compares the due jobs of every service with the tickets in its queue, and publishes those that are missing.
    ///
    /// - Throws: ``LedgerError`` or ``BrokerError``; a fault of one queue is thrown once the others have been seen to.
    func countTickets() async throws {
        let loads = try await ledger.loads(of: services)
        var fault: BrokerError?
        for load in loads {
            Gauge(label: "malla_jobs_waiting", dimensions: [("service", load.service)]).record(load.waiting)
            Gauge(label: "malla_jobs_running", dimensions: [("service", load.service)]).record(load.running)
            do throws(BrokerError) {
                let tickets = try await replaceTickets(of: load)
                // A surplus ticket, say of a cancelled job, stands for nobody; a job set aside has no ticket yet.
                admission.recount([load.service: min(tickets, load.waiting)])
            } catch {
                guard !error.isRetriable else { throw error }
                fault = fault ?? error
            }
        }
        if let fault { throw fault }
    }

    /// Publishes the tickets that a queue lacks; returns how many it has then.
    private func replaceTickets(of load: ServiceLoad) async throws(BrokerError) -> Int {
        let queue = QueueName.tickets(service: load.service)
        var depth = 0
        if let found = try await broker.depth(of: queue) { depth = found } else { try await broker.declare(queue) }
        let missing = min(load.due - depth, Self.replacementLimit)
        guard missing > 0 else { return depth }
        try await broker.publish(Array(repeating: Message(queue: queue, body: Ticket(job: nil).body), count: missing))
        Counter(label: "malla_tickets_replaced_total", dimensions: [("service", load.service)]).increment(by: missing)
        logger.debug(
            "tickets were replaced",
            metadata: [LogKey.service: "\(load.service)", LogKey.count: "\(missing)"]
        )
        return depth + missing
    }
}
