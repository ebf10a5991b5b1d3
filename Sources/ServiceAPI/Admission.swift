// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient
import Ledger
public import Logging
import Metrics
import Plumbing
import Synchronization
public import Workflow

/// Takes jobs that an App API hands over: checks their services and limits and makes their tickets.
///
/// The jobs are in the ledger already; a refusal makes the App API set them aside for a while. What waits per service
/// is counted by ``TicketLoop`` once a second, and between its counts the tickets made since are added.
public final class Admission: Sendable {
    private struct Backlog {
        var waiting: [String: Int] = [:]
    }

    private let services: [String: ServiceDefinition]
    private let broker: any Broker
    private let logger: Logger
    private let backlog = Mutex(Backlog())
    private let tickets = Counter(label: "malla_tickets_total")
    private let refusals = Counter(label: "malla_handover_refused_total")

    /// Makes an admission for these services.
    public init(services: [String: ServiceDefinition], broker: any Broker, logger: Logger) {
        self.services = services
        self.broker = broker
        self.logger = logger
    }

    /// Takes the jobs it can; returns those it can't, with when to come back.
    public func take(_ handOver: HandOver) -> [HandOver.Refusal] {
        var refused: [HandOver.Refusal] = []
        var messages: [Message] = []
        backlog.withLock { backlog in
            for entry in handOver.entries {
                if let refusal = refusal(of: entry, waiting: backlog.waiting[entry.service, default: 0]) {
                    refused.append(refusal)
                } else {
                    backlog.waiting[entry.service, default: 0] += 1
                    messages.append(
                        Message(
                            queue: QueueName.tickets(service: entry.service),
                            body: Ticket(job: entry.job).body,
                            trace: entry.trace
                        )
                    )
                }
            }
        }
        broker.post(messages)
        tickets.increment(by: messages.count)
        refusals.increment(by: refused.count)
        if let first = refused.first {
            logger.warning(
                "jobs were refused; their App API brings them again",
                metadata: [LogKey.count: "\(refused.count)", LogKey.error: "\(first.reason)"]
            )
        }
        return refused
    }

    private func refusal(of entry: HandOver.Entry, waiting: Int) -> HandOver.Refusal? {
        guard let service = services[entry.service] else {
            let known = services.keys.sorted().joined(separator: ", ")
            let reason = "this Service API does not serve '\(entry.service)'; it serves: \(known)"
            return .init(job: entry.job, reason: reason, retryAfter: .seconds(10))
        }
        if waiting >= service.backlog {
            let reason =
                "the backlog of '\(service.name)' is full: \(waiting) jobs wait, \(service.backlog) are allowed"
            return .init(job: entry.job, reason: reason, retryAfter: .seconds(2))
        }
        if !entry.definition.isEmpty, entry.definition != service.hash {
            // Not refused: the worker checks the input against its own definition before the handler sees it.
            logger.notice(
                "an App API knows another version of a service's definition",
                metadata: [LogKey.service: "\(service.name)", LogKey.job: "\(entry.job)"]
            )
        }
        return nil
    }

    /// Replaces the counts of waiting jobs with fresh ones.
    func recount(_ loads: [ServiceLoad]) {
        backlog.withLock { backlog in
            for load in loads { backlog.waiting[load.service] = load.waiting }
        }
    }
}
