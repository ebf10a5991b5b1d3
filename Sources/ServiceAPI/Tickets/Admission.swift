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
/// The jobs are in the ledger already; a refusal makes the App API set them aside for a while. What it knows of each
/// service is a ``QueueAccount``.
public final class Admission: Sendable {
    /// What became of a hand-over.
    struct Verdict: Sendable {
        /// The jobs that are not taken now.
        var refused: [HandOver.Refusal] = []
        /// Set when no job was taken and full backlogs are the only reason: how long to stay away.
        var pushBack: Duration?
    }

    private struct State {
        /// By service.
        var accounts: [String: QueueAccount]
        /// What has been logged of foreign services and versions of definitions.
        var foreign: Set<String> = []
    }

    /// A change worth a line in the log.
    private enum Note {
        case full(service: String, limit: Int)
        case foreignDefinition(service: String, hash: String)
        case unknown(service: String)
    }

    /// How many foreign services and versions are logged at all.
    private static let foreignLimit = 256

    private let services: [String: ServiceDefinition]
    private let broker: any Broker
    private let bell: Bell?
    private let logger: Logger
    private let state: Mutex<State>
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
        state = Mutex(State(accounts: services.mapValues(QueueAccount.init)))
    }

    /// Takes the jobs it can; returns those it can't, with when to come back.
    public func take(_ handOver: HandOver) -> [HandOver.Refusal] { admit(handOver).refused }

    /// Takes the jobs it can, and tells what became of the others.
    func admit(_ handOver: HandOver) -> Verdict {
        var verdict = Verdict()
        var open: [(service: String, job: JobID, trace: String?)] = []
        var taken: Set<String> = []
        var notes: [Note] = []
        var full = 0
        var mismatched = 0
        state.withLock { state in
            for entry in handOver.entries {
                guard let service = services[entry.service], let isTaken = state.accounts[entry.service]?.take() else {
                    verdict.refused.append(unknown(entry))
                    let name = String(entry.service.prefix(64))
                    if isNew("\(name) unknown", &state) { notes.append(.unknown(service: name)) }
                    continue
                }
                guard isTaken else {
                    full += 1
                    let waiting = state.accounts[service.name]?.waiting ?? 0
                    verdict.refused.append(tooMany(entry, waiting, service))
                    if state.accounts[service.name]?.becameFull() == true {
                        notes.append(.full(service: service.name, limit: service.backlog))
                    }
                    continue
                }
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
                if state.accounts[service.name]?.takesTicket() == true {
                    open.append((service.name, entry.job, entry.trace))
                }
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

    /// The credits that a hand-over asks for, of services whose definition the App API has right; takes note of what it
    /// made by the last ones.
    ///
    /// None for a service whose jobs are taken over HTTP as well: nobody would wake the workers that wait there.
    func credits(for handOver: HandOver) -> [TicketCredit] {
        guard !handOver.asks.isEmpty else { return [] }
        let right = Set(handOver.entries.filter { $0.definition == services[$0.service]?.hash }.map(\.service))
        let asked = Dictionary(handOver.asks.map { ($0.service, $0) }, uniquingKeysWith: { first, _ in first })
        let given = asked.keys.filter { right.contains($0) && bell?.isAwaited($0) != true }.sorted()
        return state.withLock { state in
            for ask in asked.values { state.accounts[ask.service]?.note(ask) }
            return given.compactMap { state.accounts[$0]?.credit() }
        }
    }

    /// Takes room for new direct jobs; nil when there is, else how many jobs wait already.
    func reserve(_ count: Int, of service: String) -> Int? {
        state.withLock { $0.accounts[service]?.reserve(count) }
    }

    /// Sends the tickets of jobs that wait; a service that is `remote` gets none, for nobody takes them.
    func post(_ jobs: [Job]) {
        guard !jobs.isEmpty else { return }
        post(
            state.withLock { state in
                jobs.compactMap { job in
                    state.accounts[job.service]?.takesTicket() == true ? (job.service, job.id, job.trace) : nil
                }
            }
        )
    }

    /// Sends tickets for these jobs.
    private func post(_ jobs: [(service: String, job: JobID, trace: String?)]) {
        guard !jobs.isEmpty else { return }
        var messages: [Message] = []
        for (service, own) in Dictionary(grouping: jobs, by: \.service) {
            let queue = QueueName.tickets(service: service)
            let tickets = state.withLock { $0.accounts[service]?.tickets(for: own.map { ($0.job, $0.trace) }) }
            messages += (tickets ?? []).map { Message(queue: queue, body: $0.ticket.body, trace: $0.trace) }
        }
        broker.post(messages)
        tickets.increment(by: jobs.count)
    }

    /// Changes what is known of a service, and asks it; nil when it is not served here.
    @discardableResult
    func account<Answer: Sendable>(of service: String, _ body: (inout QueueAccount) -> Answer) -> Answer? {
        state.withLock { state in
            guard var account = state.accounts[service] else { return nil }
            defer { state.accounts[service] = account }
            return body(&account)
        }
    }

    /// Replaces the count of a service's waiting jobs with a fresh one.
    func recount(_ service: String, waiting: Int) {
        guard account(of: service, { $0.recount(waiting) }) == true else { return }
        logger.info("a backlog has room again", metadata: [LogKey.service: "\(service)"])
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
}
