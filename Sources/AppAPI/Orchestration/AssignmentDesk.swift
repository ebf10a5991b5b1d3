// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import Logging
import Metrics
import Plumbing
import ResultStore
import Synchronization
import Workflow

/// Gives new jobs to workers that offer slots: claimed in the transaction that creates them, and sent while it is being
/// committed or after.
///
/// That saves the ticket and the claim. What gets lost on the way is given back by the worker, which looks for what it
/// holds and never heard of; what is never committed it drops.
public final class AssignmentDesk: Sendable {
    private let broker: any Broker
    private let ledger: any Ledger
    private let handOver: HandOverDesk
    private let results: any ResultStore
    private let ledgerClock: LedgerClock
    private let logger: Logger
    /// This process, as the workers know it.
    private let sender = String("\(LeaseID())".suffix(12))
    private let offers = Mutex(SlotOffers())
    private let assigned = Counter(label: "malla_jobs_assigned_total")
    private let revoked = Counter(label: "malla_jobs_revoked_total")

    /// Makes a desk that knows of no offer.
    ///
    /// - Parameters:
    ///   - handOver: takes the jobs that can't be sent.
    ///   - results: carries the hints that stop what was sent and never committed.
    ///   - ledgerClock: by which offers are judged too old, whatever the machines' clocks say.
    init(
        broker: any Broker,
        ledger: any Ledger,
        handOver: HandOverDesk,
        results: any ResultStore,
        ledgerClock: LedgerClock,
        logger: Logger
    ) {
        self.broker = broker
        self.ledger = ledger
        self.handOver = handOver
        self.results = results
        self.ledgerClock = ledgerClock
        self.logger = logger
    }

    /// Notes what a worker offers, unless it is too old.
    func note(_ offer: SlotOffer) {
        guard offer.isFresh(ledgerClock.now) else { return }
        offers.withLock { $0.note(offer, from: sender, at: .now) }
    }

    /// The job as claimed for a worker with a free slot; as it is when there is none, or when its input is too large to
    /// travel.
    func assign(_ job: Job, inputSize: Int, at now: Timestamp) -> Job {
        guard inputSize <= Assignment.maxInput else { return job }
        let lease = LeaseID()
        guard let worker = offers.withLock({ $0.take(job.service, lease: lease, at: .now) }) else { return job }
        return JobRules.apply(.claimed(lease: lease, worker: worker), to: job, at: now) ?? job
    }

    /// Sends jobs that were committed as claimed to their workers; it never waits.
    func send(_ records: [JobRecord]) {
        let sent = Set(announce(records).map(\.job.id))
        let unsent = records.filter { !sent.contains($0.job.id) }
        if !unsent.isEmpty { giveBack(unsent.map(\.job)) }
    }

    /// Sends jobs that are being committed as claimed; it never waits.
    ///
    /// - Returns: those that could be sent.
    func announce(_ records: [JobRecord]) -> [JobRecord] {
        var sent: [JobRecord] = []
        for (worker, own) in Dictionary(grouping: records, by: { $0.job.worker ?? "" }) {
            let queue = QueueName.assignments(worker: worker)
            let messages = stride(from: 0, to: own.count, by: Assignment.maxCount).map { start in
                let part = own[start..<min(start + Assignment.maxCount, own.count)]
                let total = offers.withLock { $0.send(part.compactMap(\.job.lease), to: worker, at: .now) }
                let items = part.map { Assignment.Item(job: $0.job, input: $0.input) }
                return Message(
                    queue: queue,
                    body: Assignment(sender: sender, total: total, items: items).body,
                    trace: part.count == 1 ? part.first?.job.trace : nil
                )
            }
            if broker.post(messages) {
                assigned.increment(by: own.count)
                sent += own
            } else {
                offers.withLock { $0.withdraw(worker) }
            }
        }
        return sent
    }

    /// Stops jobs that were announced and not committed; without the hint their workers learn of it with their beats.
    func revoke(_ records: [JobRecord]) {
        revoked.increment(by: records.count)
        results.tell(.cancelled(records.compactMap(\.job.lease)))
    }

    /// What could not be sent waits for anyone again, and is handed over.
    private func giveBack(_ jobs: [Job]) {
        let probes = jobs.compactMap { job in job.lease.map { LeaseProbe(job: job.id, lease: $0) } }
        Task {
            do throws(LedgerError) {
                handOver.enqueue(try await ledger.handBack(probes))
            } catch {
                // The worker gives them back, or whoever takes it for dead.
                logger.debug("assigned jobs could not be given back", metadata: [LogKey.error: "\(error)"])
            }
        }
    }
}
