// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Logging
import Metrics
import Plumbing
import Synchronization
import Workflow

/// Hands committed jobs over in batches, one lane of batches per place, and sets the refused ones aside.
///
/// Whoever enqueues never waits: an unreachable Service API delays its own jobs and nothing else.
final class HandOverDesk: Sendable {
    private static let batchSize = 1000
    private static let backoff = Backoff(base: .seconds(1), cap: .seconds(15))

    private struct State {
        var lanes: [String: Batcher<[HandOver.Entry], Void>] = [:]
        var failures: [String: Int] = [:]
    }

    private let port: any JobHandOver
    private let ledger: any Ledger
    private let services: [String: ServiceDefinition]
    private let logger: Logger
    private let state = Mutex(State())

    init(port: any JobHandOver, ledger: any Ledger, catalog: AppCatalog, logger: Logger) {
        self.port = port
        self.ledger = ledger
        services = catalog.services
        self.logger = logger
    }

    /// Takes jobs that have been committed; those that are not due yet are left to the timers.
    func enqueue(_ jobs: [Job]) {
        let now = Timestamp.now
        var byPlace: [String: [HandOver.Entry]] = [:]
        for job in jobs where job.state == .waiting && (job.runAfter ?? now) <= now {
            let entry = HandOver.Entry(
                job: job.id,
                service: job.service,
                definition: services[job.service]?.hash ?? "",
                trace: job.trace
            )
            byPlace[port.place(of: job.service), default: []].append(entry)
        }
        for (place, entries) in byPlace {
            // Nobody waits for a hand-over: the jobs are safe in the ledger. The desk itself reports its failures.
            lane(to: place).post(entries)
        }
    }

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
            do throws(HandOverFailure) {
                let refused = try await port.handOver(HandOver(entries: batch), to: place)
                state.withLock { _ = $0.failures.removeValue(forKey: place) }
                Counter(label: "malla_handovers_total", dimensions: [("outcome", "taken")])
                    .increment(by: batch.count - refused.count)
                await setAside(refused)
            } catch {
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
