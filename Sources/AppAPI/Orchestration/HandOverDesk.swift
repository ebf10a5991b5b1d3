// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import Logging
import Metrics
import Plumbing
import Synchronization
import Workflow

/// Hands committed jobs over in batches, one lane of batches per place, and sets the refused ones aside.
///
/// Of a few jobs whose Service API gave credit it makes the tickets by itself, which saves the call. Whoever enqueues
/// never waits: an unreachable Service API delays its own jobs and nothing else.
final class HandOverDesk: Sendable {
    private static let batchSize = 1000
    private static let backoff = Backoff(base: .seconds(1), cap: .seconds(15))

    private struct State {
        var lanes: [String: Batcher<[HandOver.Entry], Void>] = [:]
        var failures: [String: Int] = [:]
        var credits = TicketCredits()
    }

    private let port: any JobHandOver
    private let broker: any Broker
    private let ledger: any Ledger
    private let services: [String: ServiceDefinition]
    private let clock: @Sendable () -> ContinuousClock.Instant
    private let logger: Logger
    private let state = Mutex(State())
    private let tickets = Counter(label: "malla_tickets_total")

    init(
        port: any JobHandOver,
        broker: any Broker,
        ledger: any Ledger,
        catalog: AppCatalog,
        clock: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        logger: Logger
    ) {
        self.port = port
        self.broker = broker
        self.ledger = ledger
        services = catalog.services
        self.clock = clock
        self.logger = logger
    }

    /// Takes jobs that have been committed; those that are not due yet are left to the timers.
    func enqueue(_ jobs: [Job]) {
        let now = Timestamp.now
        var byPlace: [String: [HandOver.Entry]] = [:]
        let due = jobs.filter { $0.state == .waiting && ($0.runAfter ?? now) <= now }
        for (service, own) in Dictionary(grouping: due, by: \.service) where !postTickets(of: service, for: own) {
            let definition = services[service]?.hash ?? ""
            byPlace[port.place(of: service), default: []] += own.map {
                HandOver.Entry(job: $0.id, service: service, definition: definition, trace: $0.trace)
            }
        }
        for (place, entries) in byPlace {
            // Nobody waits for a hand-over: the jobs are safe in the ledger. The desk itself reports its failures.
            lane(to: place).post(entries)
        }
    }

    /// Makes the tickets of these jobs by credit; false when there is none, or when the broker takes none now.
    private func postTickets(of service: String, for jobs: [Job]) -> Bool {
        guard let definition = services[service] else { return false }
        let own = jobs.map { (job: $0.id, trace: $0.trace) }
        let now = clock()
        guard let made = state.withLock({ $0.credits.spend(for: own, of: definition, at: now) }) else { return false }
        let queue = QueueName.tickets(service: service)
        guard broker.post(made.map { Message(queue: queue, body: $0.ticket.body, trace: $0.trace) }) else {
            return false
        }
        state.withLock { $0.credits.made(made.count, for: jobs.count, of: service) }
        tickets.increment(by: jobs.count)
        return true
    }

    /// The credits as they stand.
    var credits: TicketCredits { state.withLock(\.credits) }

    private func lane(to place: String) -> Batcher<[HandOver.Entry], Void> {
        state.withLock { state in
            if let lane = state.lanes[place] { return lane }
            let lane = Batcher<[HandOver.Entry], Void>(lanes: 2, maxSize: Self.batchSize) { [self] groups in
                await deliver(groups.flatMap(\.self), to: place)
                return groups.map { _ in .success(()) }
            }
            state.lanes[place] = lane
            return lane
        }
    }

    private func deliver(_ entries: [HandOver.Entry], to place: String) async {
        var rest = entries[...]
        while !rest.isEmpty {
            let batch = Array(rest.prefix(Self.batchSize))
            rest = rest.dropFirst(Self.batchSize)
            let begun = clock()
            let asks = state.withLock { $0.credits.asks(with: batch, at: begun) }
            do throws(HandOverFailure) {
                let answer = try await port.handOver(HandOver(entries: batch, asks: asks), to: place)
                let ended = clock()
                state.withLock { state in
                    state.failures[place] = nil
                    state.credits.note(answer.credits, at: ended)
                }
                Counter(label: "malla_handovers_total", dimensions: [("outcome", "taken")])
                    .increment(by: batch.count - answer.refused.count)
                await setAside(answer.refused)
            } catch {
                state.withLock { state in
                    for ask in asks { state.credits.made(ask.tickets, for: ask.jobs, of: ask.service) }
                }
                await giveUp(batch + rest, at: place, error)
                return
            }
        }
    }

    private func setAside(_ refused: [HandOver.Refusal]) async {
        guard !refused.isEmpty else { return }
        Counter(label: "malla_handovers_total", dimensions: [("outcome", "refused")]).increment(by: refused.count)
        for (delay, refusals) in Dictionary(grouping: refused, by: \.retryAfter) {
            await postpone(refusals.map(\.job), by: delay)
        }
    }

    private func giveUp(_ entries: [HandOver.Entry], at place: String, _ error: HandOverFailure) async {
        let failures = state.withLock { state in
            state.failures[place, default: 0] += 1
            return state.failures[place] ?? 1
        }
        Counter(label: "malla_handovers_total", dimensions: [("outcome", "failed")]).increment(by: entries.count)
        if failures == 1 {
            logger.warning(
                "a Service API can't be told of its jobs; they wait in the ledger",
                metadata: [
                    LogKey.server: "\(place)", LogKey.error: "\(error)", LogKey.count: "\(entries.count)",
                ]
            )
        }
        await postpone(entries.map(\.job), by: Self.backoff.delay(afterFailures: failures))
    }

    private func postpone(_ jobs: [JobID], by delay: Duration) async {
        do throws(LedgerError) {
            try await ledger.postpone(jobs, by: delay)
        } catch {
            // Harmless: they are due in the ledger, so the Service API makes tickets for them by itself.
            logger.debug("jobs could not be set aside", metadata: [LogKey.error: "\(error)"])
        }
    }
}
