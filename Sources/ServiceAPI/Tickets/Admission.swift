// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Logging
import Metrics
import Plumbing
import Synchronization
public import Workflow

/// Takes jobs that an App API hands over: checks their services and limits and makes their tickets.
///
/// The jobs are in the ledger already; a refusal makes the App API set them aside for a while. What waits per service
/// is counted by ``TicketLoop`` once a second, and between its counts the tickets made since are added.
public final class Admission: Sendable {
    /// What became of a hand-over.
    struct Verdict: Sendable {
        /// The jobs that are not taken now.
        var refused: [HandOver.Refusal] = []
        /// Set when no job was taken and full backlogs are the only reason: how long to stay away.
        var pushBack: Duration?
    }

    private struct State {
        /// The tickets that wait for a worker, by service.
        var waiting: [String: Int] = [:]
        /// The services whose backlog was full when last asked; each is logged when it joins and when it leaves.
        var full: Set<String> = []
        /// What has been logged of foreign services and versions of definitions.
        var foreign: Set<String> = []
        /// The services whose queues hold so many more tickets than jobs that they get no further ones.
        var surplus: Set<String> = []
        /// For how many jobs a queue held tickets when it was last counted, and for how many some were made since.
        var tickets: [String: Int] = [:]
        /// For how many jobs a ticket was lately.
        var made: [String: RecentRatio] = [:]
        /// How many workers take tickets.
        var workers: [String: Int] = [:]
    }

    /// A change worth a line in the log.
    private enum Note {
        case full(service: String, limit: Int)
        case foreignDefinition(service: String, hash: String)
        case unknown(service: String)
    }

    /// For how many jobs a queue holds tickets at most, or about so many where several Service APIs fill it; for up to
    /// four times as many where tickets are for several.
    ///
    /// The rest is made when they are counted, once a second or a few: the broker need not carry a giant's ten thousand
    /// for which nobody has a slot. It also bounds what one Service API lets a service do in that time.
    private static let ticketLimit = 5000
    /// How many foreign services and versions are logged at all.
    private static let foreignLimit = 256

    private let services: [String: ServiceDefinition]
    private let broker: any Broker
    private let bell: Bell?
    private let logger: Logger
    private let state = Mutex(State())
    private let tickets = Counter(label: "malla_tickets_total")
    private let refusals = Counter(label: "malla_handover_refused_total")
    private let mismatches = Counter(label: "malla_handover_definition_mismatch_total")

    /// Makes an admission for these services.
    ///
    /// - Parameter bell: rung for jobs that are taken; workers elsewhere may wait for them.
    init(services: [String: ServiceDefinition], broker: any Broker, bell: Bell? = nil, logger: Logger) {
        self.services = services
        self.broker = broker
        self.bell = bell
        self.logger = logger
    }

    /// Takes the jobs it can; returns those it can't, with when to come back.
    public func take(_ handOver: HandOver) -> [HandOver.Refusal] { admit(handOver).refused }

    /// Takes the jobs it can, and tells what became of the others.
    func admit(_ handOver: HandOver) -> Verdict {
        var verdict = Verdict()
        var open: [(service: ServiceDefinition, job: JobID, trace: String?)] = []
        var taken: Set<String> = []
        var notes: [Note] = []
        var full = 0
        var mismatched = 0
        state.withLock { state in
            for entry in handOver.entries {
                guard let service = services[entry.service] else {
                    verdict.refused.append(unknown(entry))
                    let name = String(entry.service.prefix(64))
                    if isNew("\(name) unknown", &state) { notes.append(.unknown(service: name)) }
                    continue
                }
                let waiting = state.waiting[service.name, default: 0]
                guard waiting < service.backlog else {
                    full += 1
                    verdict.refused.append(tooMany(entry, waiting, service))
                    if state.full.insert(service.name).inserted {
                        notes.append(.full(service: service.name, limit: service.backlog))
                    }
                    continue
                }
                state.waiting[service.name] = waiting + 1
                // Taken all the same: while a new version is rolled out both are about. Nothing checks the input
                // again, the App API did so by its own version when it planned the job; what protects the handler
                // are its own checks, and a job that it refuses fails alone.
                if !entry.definition.isEmpty, entry.definition != service.hash {
                    mismatched += 1
                    let hash = String(entry.definition.prefix(64))
                    if isNew("\(service.name) \(hash)", &state) {
                        notes.append(.foreignDefinition(service: service.name, hash: hash))
                    }
                }
                taken.insert(service.name)
                if takesTicket(service, &state) { open.append((service, entry.job, entry.trace)) }
            }
        }
        post(open)
        refusals.increment(by: verdict.refused.count)
        mismatches.increment(by: mismatched)
        for note in notes { log(note) }
        for service in taken { bell?.ring(service) }
        if full > 0, full == handOver.entries.count { verdict.pushBack = verdict.refused.map(\.retryAfter).min() }
        return verdict
    }

    /// Takes room for new direct jobs; nil when there is, else how many jobs wait already.
    func reserve(_ count: Int, of service: String) -> Int? {
        state.withLock { state in
            let waiting = state.waiting[service, default: 0]
            guard waiting == 0 || waiting + count <= services[service]?.backlog ?? .max else { return waiting }
            state.waiting[service] = waiting + count
            return nil
        }
    }

    /// Sends the tickets of jobs that wait; a service that is `remote` gets none, for nobody takes them.
    func post(_ jobs: [Job]) {
        guard !jobs.isEmpty else { return }
        post(
            state.withLock { state in
                jobs.compactMap { job in
                    guard let service = services[job.service], takesTicket(service, &state) else { return nil }
                    return (service, job.id, job.trace)
                }
            }
        )
    }

    /// Sends tickets for these jobs; what several jobs share has no trace, each job's row tells its own.
    private func post(_ jobs: [(service: ServiceDefinition, job: JobID, trace: String?)]) {
        var messages: [Message] = []
        for own in Dictionary(grouping: jobs, by: \.service.name).values {
            let service = own[0].service
            var start = 0
            for ticket in tickets(own.count, of: service) {
                let first = own[start]
                messages.append(
                    Message(
                        queue: QueueName.tickets(service: service.name),
                        body: Ticket(job: first.job, count: ticket.count).body,
                        trace: ticket.count == 1 ? first.trace : nil
                    )
                )
                start += ticket.count
            }
        }
        guard !messages.isEmpty else { return }
        broker.post(messages)
        tickets.increment(by: jobs.count)
    }

    /// For how many jobs of a service there are tickets at most.
    static func ticketLimit(of service: ServiceDefinition) -> Int { ticketLimit * min(4, service.ticketSize) }

    /// Makes tickets for so many jobs of a service, such that no worker gets more than its share of them; counted.
    func tickets(_ count: Int, of service: ServiceDefinition) -> [Ticket] {
        state.withLock { state in
            let workers = max(1, state.workers[service.name, default: 1])
            let tickets = service.tickets(count, each: (count + workers - 1) / workers)
            state.made[service.name, default: RecentRatio()].add(messages: tickets.count, parts: count)
            return tickets
        }
    }

    /// For how many jobs so many tickets in a service's queue are, as far as those tell that were made here lately.
    func jobs(of service: ServiceDefinition, inTickets tickets: Int) -> Int {
        state.withLock { $0.made[service.name, default: RecentRatio()].parts(in: tickets) }
    }

    /// Notes how many workers take the tickets of a service.
    func note(workers: Int, of service: String) { state.withLock { $0.workers[service] = workers } }

    /// Whether one more ticket is to be made now, which is counted; the others are replaced like lost ones.
    private func takesTicket(_ service: ServiceDefinition, _ state: inout State) -> Bool {
        let tickets = state.tickets[service.name, default: 0]
        guard service.engine != .remote, !state.surplus.contains(service.name),
            tickets < Self.ticketLimit(of: service)
        else { return false }
        state.tickets[service.name] = tickets + 1
        return true
    }

    private func unknown(_ entry: HandOver.Entry) -> HandOver.Refusal {
        let known = services.keys.sorted().joined(separator: ", ")
        return .init(
            job: entry.job,
            reason: "this Service API does not serve '\(entry.service.prefix(64))'; it serves: \(known)",
            retryAfter: .seconds(10)
        )
    }

    private func tooMany(_ entry: HandOver.Entry, _ waiting: Int, _ service: ServiceDefinition) -> HandOver.Refusal {
        .init(
            job: entry.job,
            reason: "the backlog of '\(service.name)' is full: \(waiting) jobs wait, \(service.backlog) are allowed",
            retryAfter: .seconds(2)
        )
    }

    /// Whether something foreign is met for the first time.
    private func isNew(_ key: String, _ state: inout State) -> Bool {
        state.foreign.count < Self.foreignLimit && state.foreign.insert(key).inserted
    }

    private func log(_ note: Note) {
        switch note {
        case .full(let service, let limit):
            logger.warning(
                "a backlog is full; further jobs are set aside in the ledger for a while",
                metadata: [LogKey.service: "\(service)", LogKey.count: "\(limit)"]
            )
        case .foreignDefinition(let service, let hash):
            logger.notice(
                "an App API knows another version of a service's definition",
                metadata: [LogKey.service: "\(service)", "malla.definition.hash": "\(hash)"]
            )
        case .unknown(let service):
            logger.warning(
                "jobs of a service that is not served here were handed over",
                metadata: [LogKey.service: "\(service)"]
            )
        }
    }

    /// Notes for how many jobs a queue holds tickets, and whether that is far more than its service has due jobs: workers that
    /// claim over HTTP take none away.
    func note(tickets: Int, isSurplus: Bool, of service: String) {
        state.withLock { state in
            state.tickets[service] = tickets
            if isSurplus { state.surplus.insert(service) } else { state.surplus.remove(service) }
        }
    }

    /// Replaces the counts of waiting tickets, by service, with fresh ones.
    func recount(_ waiting: [String: Int]) {
        let freed = state.withLock { state -> [String] in
            state.waiting.merge(waiting) { _, new in new }
            let freed = state.full.filter { state.waiting[$0, default: 0] < services[$0]?.backlog ?? .max }
            state.full.subtract(freed)
            return freed.sorted()
        }
        for service in freed {
            logger.info("a backlog has room again", metadata: [LogKey.service: "\(service)"])
        }
    }
}
