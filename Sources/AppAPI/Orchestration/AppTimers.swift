// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import Ledger
import Logging
import Metrics
import Plumbing
import ServiceLifecycle
import Workflow

/// The App API's timer loop: limits and deadlines, dead workers, due callbacks, retention.
struct AppTimers: Service {
    let ledger: any Ledger
    let timers: LedgerTimers
    let apps: [String]
    /// The services that this process knows; the hand-over of others' jobs is left to their own App APIs.
    let services: Set<String>
    let followUp: CommitFollowUp
    let sender: CallbackSender
    let interval: Duration
    let logger: Logger

    private static let backoff = Backoff(base: .milliseconds(500), cap: .seconds(5))

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                do throws(LedgerError) {
                    try await turn()
                    if failures > 0 { logger.info("the ledger answers again") }
                    failures = 0
                } catch {
                    failures += 1
                    if failures == 1 {
                        logger.warning("the timers can't reach the ledger", metadata: [LogKey.error: "\(error)"])
                    }
                }
                let wait =
                    failures > 0
                    ? Self.backoff.delay(afterFailures: failures) : interval * Double.random(in: 0.8...1.2)
                do { try await Task.sleep(for: wait) } catch { return }
            }
        }
    }

    private func turn() async throws(LedgerError) {
        try await timers.turn { turn in
            followUp.desk.enqueue(turn.reaped.filter { services.contains($0.service) })
            for outcome in turn.outcomes { followUp.settled(outcome) }
            if !turn.reaped.isEmpty {
                Counter(label: "malla_jobs_orphaned_total").increment(by: turn.reaped.count)
                logger.warning(
                    "jobs of dead workers wait again",
                    metadata: [LogKey.count: "\(turn.reaped.count)"]
                )
            }
            if turn.swept > 0 {
                logger.info("old tasks were deleted", metadata: [LogKey.count: "\(turn.swept)"])
            }
        }
        try await sender.takeDue(of: apps, from: ledger)
    }
}
