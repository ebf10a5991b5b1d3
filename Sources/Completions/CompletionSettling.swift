// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import Logging
import Metrics
import Plumbing
import ServiceLifecycle
import Workflow

/// Settles batches of completions: one transaction, then the acknowledgements, then the follow-up.
struct CompletionSettling: Sendable {
    typealias Entry = (tag: DeliveryTag, settlement: Settlement)

    let ledger: any Ledger
    let fetching: ResultFetching
    let finishing: any RunFinishing
    let followUp: CommitFollowUp
    let logger: Logger

    private static let backoff = Backoff(base: .milliseconds(200), cap: .seconds(5))

    /// Settles deliveries and acknowledges each once its outcome is committed; those of a cancelled call are given
    /// back to the queue.
    ///
    /// - Parameter large: takes the completions whose results must be fetched first, so that nothing waits for them.
    func settle(
        _ deliveries: [Delivery],
        on subscription: any Subscription,
        large inbox: Inbox<LargeCompletion>
    ) async {
        var batch: [Entry] = []
        var large: [LargeCompletion] = []
        for delivery in deliveries {
            do throws(EnvelopeError) {
                let completion = try Completion(body: delivery.body)
                if completion.failure == nil, let stored = completion.storedResult {
                    large.append(LargeCompletion(tag: delivery.tag, completion: completion, stored: stored))
                    continue
                }
                let result = completion.failure == nil ? completion.result : nil
                batch.append(
                    (delivery.tag, Settlement(job: completion.job, event: completion.event, result: result))
                )
            } catch {
                count("unreadable")
                logger.warning(
                    "a completion that can't be read was dropped",
                    metadata: [LogKey.error: "\(error)", LogKey.count: "\(delivery.body.count)"]
                )
                subscription.settle([delivery.tag], .acknowledged)
            }
        }
        if !large.isEmpty { postpone(inbox.put(large), on: subscription) }
        if !batch.isEmpty { await record(batch, on: subscription) }
    }

    /// Records settlements and acknowledges them, however long the ledger is away.
    func record(_ batch: [Entry], on subscription: any Subscription) async {
        var failures = 0
        while true {
            do throws(LedgerError) {
                let outcome = try await ledger.settle(batch.map(\.settlement), tasks: [], finishing: finishing)
                subscription.settle(batch.map(\.tag), .acknowledged)
                note(outcome.verdicts, of: batch.map(\.settlement))
                followUp.settled(outcome)
                return
            } catch {
                guard error.isRetriable else { return await recordOneByOne(batch, on: subscription, error) }
                failures += 1
                if failures == 3 {
                    logger.warning(
                        "completions wait for the ledger",
                        metadata: [LogKey.error: "\(error)", LogKey.count: "\(batch.count)"]
                    )
                }
                do {
                    // A stopping App API does not outwait a dead ledger: another one gets these.
                    if Task.isShuttingDownGracefully { throw CancellationError() }
                    try await Task.sleep(for: Self.backoff.delay(afterFailures: failures))
                } catch {
                    subscription.settle(batch.map(\.tag), .requeued)
                    return
                }
            }
        }
    }

    /// A batch that fails for good is redone one by one, so that the culprit fails alone.
    private func recordOneByOne(
        _ batch: [Entry],
        on subscription: any Subscription,
        _ error: LedgerError
    ) async {
        if batch.count > 1 {
            for entry in batch { await record([entry], on: subscription) }
            return
        }
        guard let entry = batch.first else { return }
        count("broken")
        logger.error(
            "a completion can't be recorded; its job is failed",
            metadata: [LogKey.job: "\(entry.settlement.job)", LogKey.error: "\(error)"]
        )
        await failJob(of: entry.settlement, error)
        subscription.settle([entry.tag], .acknowledged)
    }

    private func failJob(of settlement: Settlement, _ error: LedgerError) async {
        guard case .completed(let lease) = settlement.event else { return }
        let cause = JobError(.internal, "its result can't be recorded: \(error.reason)", isFinal: true)
        do throws(LedgerError) {
            let failure = Settlement(job: settlement.job, event: .failed(lease: lease, cause))
            followUp.settled(try await ledger.settle([failure], tasks: [], finishing: finishing))
        } catch {
            logger.error(
                "a job could not even be failed; its deadline will end it",
                metadata: [LogKey.job: "\(settlement.job)", LogKey.error: "\(error)"]
            )
        }
    }

    private func note(_ verdicts: [SettleOutcome.Verdict], of settlements: [Settlement]) {
        for (verdict, settlement) in zip(verdicts, settlements) {
            switch verdict {
            case .applied: count("applied")
            case .stale: count("stale")
            case .unknown: count("unknown")
            case .broken(let reason):
                count("broken")
                logger.error(
                    "a run could not be advanced and was failed",
                    metadata: [LogKey.job: "\(settlement.job)", LogKey.error: "\(reason)"]
                )
            }
        }
    }

    func count(_ verdict: String) {
        Counter(label: "malla_completions_total", dimensions: [("verdict", verdict)]).increment()
    }
}
