// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
public import Ledger
public import Logging
public import MediaStore
import Metrics
import Plumbing
import ServiceLifecycle
import Workflow

/// Settles batches of completions: one transaction, then the follow-up, then the acknowledgements.
public struct CompletionSettling: Sendable {
    /// A completion to be settled.
    struct Entry: Sendable {
        let receipt: Receipt
        let settlement: Settlement
        let since = ContinuousClock.now
    }

    private let ledger: any Ledger
    let fetching: ResultFetching
    private let finishing: any RunFinishing
    private let followUp: any SettledFollowUp
    let logger: Logger

    private static let backoff = Backoff(base: .milliseconds(200), cap: .seconds(5))

    /// Makes one.
    ///
    /// - Parameters:
    ///   - media: where large results lie.
    ///   - finishing: what the API adds when runs advance and direct jobs end.
    ///   - followUp: is told of every commit.
    public init(
        ledger: any Ledger,
        media: any MediaStore,
        finishing: any RunFinishing,
        followUp: any SettledFollowUp,
        logger: Logger
    ) {
        self.ledger = ledger
        fetching = ResultFetching(media: media)
        self.finishing = finishing
        self.followUp = followUp
        self.logger = logger
    }

    /// Settles messages and acknowledges each once its outcome is committed; those of a cancelled call are given
    /// back to their queues.
    ///
    /// - Parameters:
    ///   - large: takes the completions whose results must be fetched first, so that nothing waits for them.
    ///   - early: takes those that are ahead of their jobs.
    func settle(_ arrivals: [Arrival], large inbox: Inbox<LargeCompletion>, early: Inbox<Entry>) async {
        var batch: [Entry] = []
        var large: [LargeCompletion] = []
        for arrival in arrivals {
            if let cancellation = JobCancellation(body: arrival.body) {
                let settlement = Settlement(job: cancellation.job, event: .cancelled)
                batch.append(Entry(receipt: arrival.receipt, settlement: settlement))
                continue
            }
            do throws(EnvelopeError) {
                let completion = try Completion(body: arrival.body)
                if completion.failure == nil, let stored = completion.storedResult {
                    large.append(LargeCompletion(receipt: arrival.receipt, completion: completion, stored: stored))
                } else {
                    let settlement = Self.settlement(of: completion, result: completion.result)
                    batch.append(Entry(receipt: arrival.receipt, settlement: settlement))
                }
            } catch {
                count("unreadable")
                logger.warning(
                    "a completion that can't be read was dropped",
                    metadata: [LogKey.error: "\(error)", LogKey.count: "\(arrival.body.count)"]
                )
                [arrival.receipt].settle(.acknowledged)
            }
        }
        if !large.isEmpty { postpone(inbox.put(large)) }
        if !batch.isEmpty { await record(batch, early: early) }
    }

    /// What a completion comes to for the ledger; `result` is passed over when the handler failed.
    static func settlement(of completion: Completion, result: [UInt8]) -> Settlement {
        Settlement(
            job: completion.job,
            event: completion.event,
            result: completion.failure == nil ? result : nil,
            usage: completion.usage.flatMap { $0.isEmpty ? nil : $0.json.bytes }
        )
    }

    /// Records settlements and acknowledges them, however long the ledger is away.
    ///
    /// - Parameter early: takes those that are ahead of their jobs.
    func record(_ batch: [Entry], early: Inbox<Entry>) async {
        var failures = 0
        while true {
            do throws(LedgerError) {
                let outcome = try await ledger.settle(batch.map(\.settlement), tasks: [], finishing: finishing)
                // What waits for the next step comes first; the broker may wait.
                followUp.settled(outcome)
                conclude(batch, outcome.verdicts, early: early)
                return
            } catch {
                guard error.isRetriable else { return await recordOneByOne(batch, error, early: early) }
                failures += 1
                if failures == 3 {
                    logger.warning(
                        "completions wait for the ledger",
                        metadata: [LogKey.error: "\(error)", LogKey.count: "\(batch.count)"]
                    )
                }
                do {
                    // A stopping API does not outwait a dead ledger: another one gets these.
                    if Task.isShuttingDownGracefully { throw CancellationError() }
                    try await Task.sleep(for: Self.backoff.delay(afterFailures: failures))
                } catch {
                    batch.map(\.receipt).settle(.requeued)
                    return
                }
            }
        }
    }

    /// A batch that fails for good is redone one by one, so that the culprit fails alone.
    private func recordOneByOne(_ batch: [Entry], _ error: LedgerError, early: Inbox<Entry>) async {
        if batch.count > 1 {
            for entry in batch { await record([entry], early: early) }
            return
        }
        guard let entry = batch.first else { return }
        count("broken")
        logger.error(
            "a completion can't be recorded; its job is failed",
            metadata: [LogKey.job: "\(entry.settlement.job)", LogKey.error: "\(error)"]
        )
        await failJob(of: entry.settlement, error)
        [entry.receipt].settle(.acknowledged)
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

    /// Acknowledges what was judged; what is ahead of its job is to be judged again.
    private func conclude(_ batch: [Entry], _ verdicts: [SettleOutcome.Verdict], early: Inbox<Entry>) {
        var counts: [String: Int] = [:]
        var (judged, ahead): ([Receipt], [Entry]) = ([], [])
        for (entry, verdict) in zip(batch, verdicts) {
            guard verdict != .unknown || !Self.mayBeAhead(entry) else {
                ahead.append(entry)
                continue
            }
            judged.append(entry.receipt)
            counts[Self.word(of: verdict), default: 0] += 1
            guard case .broken(let reason) = verdict else { continue }
            logger.error(
                "a run could not be advanced and was failed",
                metadata: [LogKey.job: "\(entry.settlement.job)", LogKey.error: "\(reason)"]
            )
        }
        judged.settle(.acknowledged)
        // What finds the inbox closed goes back to the queue with the subscription.
        if !ahead.isEmpty {
            count("early", ahead.count)
            early.put(ahead)
        }
        for (word, times) in counts { count(word, times) }
    }

    private static func word(of verdict: SettleOutcome.Verdict) -> String {
        switch verdict {
        case .applied: "applied"
        case .stale: "stale"
        case .unknown: "unknown"
        case .broken: "broken"
        }
    }

    func count(_ verdict: String, _ times: Int = 1) {
        Counter(label: "malla_completions_total", dimensions: [("verdict", verdict)]).increment(by: times)
    }
}
