// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Logging
import Plumbing
import ServiceLifecycle
import Workflow

/// Consumes the completions queue of every app, a few batches at a time.
struct CompletionsConsumer: Service {
    let broker: any Broker
    let apps: [String]
    let settling: CompletionSettling
    let prefetch: Int
    let lanes: Int
    let logger: Logger

    private static let backoff = Backoff(base: .milliseconds(250), cap: .seconds(5))
    private static let batchSize = 256

    func run() async throws {
        await withDiscardingTaskGroup { group in
            for app in apps { group.addTask { await serve(app) } }
        }
    }

    private func serve(_ app: String) async {
        let queue = QueueName.completions(app: app)
        let inbox = Inbox<Delivery>()
        // Beside the others, and never so many that a media store that is away blocks the queue for them.
        let large = Inbox<LargeCompletion>(limit: max(1, prefetch / 4))
        // A broker that is down at start delays completions and refuses nothing; once up, the adapter reconnects.
        guard let subscription = await subscribe(to: queue, inbox) else { return }
        await withDiscardingTaskGroup { group in
            for _ in 0..<max(1, lanes) {
                group.addTask {
                    while let batch = await inbox.take(upTo: Self.batchSize) {
                        await settling.settle(batch, on: subscription, large: large)
                    }
                }
            }
            group.addTask {
                while let batch = await large.take(upTo: CompletionSettling.largeBatch) {
                    await settling.settle(large: batch, on: subscription)
                }
            }
            await untilShutdown()
            // What is being settled may end; what was not taken goes back to the queue with the subscription.
            inbox.close()
            large.close(dropping: true)
        }
        await subscription.cancel()
    }

    private func untilShutdown() async {
        do { try await gracefulShutdown() } catch {
            // Cancelled instead of asked: the end is the same.
            return
        }
    }

    private func subscribe(to queue: String, _ inbox: Inbox<Delivery>) async -> (any Subscription)? {
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                do throws(BrokerError) {
                    try await broker.declare(queue)
                    return try await broker.consume(queue, prefetch: prefetch) { inbox.put($0) }
                } catch {
                    failures += 1
                    if failures == 1 {
                        logger.warning(
                            "the completions queue can't be consumed yet",
                            metadata: [LogKey.queue: "\(queue)", LogKey.error: "\(error)"]
                        )
                    }
                    do { try await Task.sleep(for: Self.backoff.delay(afterFailures: failures)) } catch { return nil }
                }
            }
            return nil
        }
    }
}
