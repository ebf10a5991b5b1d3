// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import Logging
import Plumbing
import ServiceLifecycle

/// Reads once a second, and twice when much comes and `OVERLOAD_WAIT` is set, what waits for the services and to be
/// settled; less often where it is so much that reading takes long.
///
/// Apart from the timers, which must not wait for a broker that hangs.
struct BacklogWatch: Service {
    let gauge: BacklogGauge
    /// The queues of completions.
    let completions: [String]
    let broker: any Broker
    let logger: Logger

    private static let interval: Duration = .milliseconds(500)
    private static let backoff = Backoff(base: .milliseconds(500), cap: .seconds(5))

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    await repeatedly("what waits for the services can't be counted") {
                        try await gauge.refresh()
                    }
                }
                group.addTask {
                    await repeatedly("what waits to be settled can't be counted") {
                        try await gauge.countCompletions(of: completions, at: broker)
                    }
                }
            }
        }
    }

    private func repeatedly(_ complaint: Logger.Message, _ read: () async throws -> Void) async {
        var failures = 0
        // What new tasks are refused by must not be old.
        var pace = CostPace(share: 0.05, longest: .seconds(3))
        for turn in 0... {
            do {
                if turn.isMultiple(of: 2) || gauge.isPressed || failures > 0, pace.isDue(at: .now) {
                    let start = ContinuousClock.now
                    defer { pace.note(from: start, to: .now) }
                    try await read()
                    failures = 0
                }
            } catch {
                failures += 1
                if failures == 1, !Task.isCancelled {
                    logger.warning(complaint, metadata: [LogKey.error: "\(error)"])
                }
            }
            let wait =
                failures > 0
                ? Self.backoff.delay(afterFailures: failures) : Self.interval * Double.random(in: 0.8...1.2)
            do { try await Task.sleep(for: wait) } catch { return }
        }
    }
}
