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
/// Once a second it also runs the ledger's timers (promotions, the reaper, direct jobs' limits), and recounts what waits, for ``Admission`` and the metrics. Losing the broker's data is thus a
/// delay of about a second, not a loss.
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
        let backoff = Backoff(base: period, cap: .seconds(10))
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                do {
                    try await turn()
                    if failures > 0 { logger.info("tickets are watched again") }
                    failures = 0
                } catch {
                    failures += 1
                    if failures == 1 {
                        logger.warning("tickets can't be watched now", metadata: [LogKey.error: "\(error)"])
                    }
                }
                let pause = failures > 0 ? backoff.delay(afterFailures: failures) : period
                // A cancelled sleep ends the loop by its condition.
                try? await Task.sleep(for: pause)
            }
        }
    }

    func turn() async throws {
        // What became due or was reaped needs tickets; the counts below see it and replace them.
        try await timers.turn { turn in
            for job in turn.reaped {
                logger.warning(
                    "a job of a dead worker waits again",
                    metadata: [LogKey.job: "\(job.id)", LogKey.service: "\(job.service)"]
                )
            }
        }
        let loads = try await ledger.loads(of: services)
        admission.recount(loads)
        for load in loads {
            Gauge(label: "malla_jobs_waiting", dimensions: [("service", load.service)]).record(load.waiting)
            Gauge(label: "malla_jobs_running", dimensions: [("service", load.service)]).record(load.running)
            try await replaceTickets(of: load)
        }
    }

    private func replaceTickets(of load: ServiceLoad) async throws {
        let queue = QueueName.tickets(service: load.service)
        var depth = try await broker.depth(of: queue)
        if depth == nil {
            try await broker.declare(queue)
            depth = 0
        }
        let missing = min(load.due - (depth ?? 0), Self.replacementLimit)
        guard missing > 0 else { return }
        try await broker.publish(Array(repeating: Message(queue: queue, body: Ticket(job: nil).body), count: missing))
        logger.debug(
            "tickets were replaced",
            metadata: [LogKey.service: "\(load.service)", LogKey.count: "\(missing)"]
        )
    }
}
