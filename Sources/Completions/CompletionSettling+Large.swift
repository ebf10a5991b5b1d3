// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import Logging
import MediaStore
import Plumbing
import ServiceLifecycle
import Workflow

extension CompletionSettling {
    /// How many large completions are fetched and settled at once: it bounds the memory that they take.
    static let largeBatch = 4

    /// Fetches the results of large completions and settles them; those whose media store is away come again later.
    func settle(large batch: [LargeCompletion], early: Inbox<Entry>) async {
        let results = await cancelWhenGracefulShutdown { await fetching.results(of: batch) }
        var ready: [Entry] = []
        var late: [LargeCompletion] = []
        for (entry, result) in zip(batch, results) {
            let completion = entry.completion
            switch result {
            case .success(let bytes):
                let settlement = Self.settlement(of: completion, result: bytes)
                ready.append(Entry(receipt: entry.receipt, settlement: settlement))
            case .failure(let error) where error.isRetriable || error.code == .refused:
                // A refusal is the fault of this process's credentials or clock, not of the attempt.
                late.append(entry)
                logger.debug(
                    "a large result can't be fetched now",
                    metadata: [LogKey.job: "\(completion.job)", LogKey.error: "\(error)"]
                )
            case .failure(let error):
                let settlement = Settlement(job: completion.job, event: lost(entry, error))
                ready.append(Entry(receipt: entry.receipt, settlement: settlement))
            }
        }
        postpone(late)
        if !ready.isEmpty { await record(ready, early: early) }
    }

    /// Lets go of large completions that can't be settled now.
    ///
    /// Acknowledged although nothing was settled, and still not lost: the worker keeps each and sends it again until a
    /// beat tells it that the ledger has it, and when the worker dies the reaper has the job run again; a Service API
    /// does the same for workers elsewhere. Given back to the queue they would come again at once, and kept they would
    /// fill the prefetch and block all other completions. An API that stops gives them back all the same.
    func postpone(_ entries: [LargeCompletion]) {
        guard !entries.isEmpty else { return }
        if Task.isCancelled || Task.isShuttingDownGracefully {
            entries.map(\.receipt).settle(.requeued)
            return
        }
        for _ in entries { count("postponed") }
        logger.warning(
            "large results wait for the media store; their workers send them again",
            metadata: [LogKey.count: "\(entries.count)"]
        )
        entries.map(\.receipt).settle(.acknowledged)
    }

    /// A failure that counts as an attempt: another one stores its result anew, under its own lease.
    private func lost(_ entry: LargeCompletion, _ error: MediaError) -> JobEvent {
        count("lost")
        logger.error(
            "a large result is not in the media store; its attempt is failed",
            metadata: [LogKey.job: "\(entry.completion.job)", LogKey.error: "\(error)"]
        )
        return .failed(
            lease: entry.completion.lease,
            JobError(
                .internal,
                "its result of \(entry.stored.size) bytes can't be fetched from the media store: \(error.reason)"
            )
        )
    }
}
