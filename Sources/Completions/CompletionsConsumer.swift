// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient
public import Logging
import Plumbing
public import ServiceLifecycle
public import Workflow

/// Consumes queues of completions, a few batches at a time; the lanes are shared, so that many queues cost little.
public struct CompletionsConsumer: Service {
    private let broker: any Broker
    private let queues: [String]
    private let settling: CompletionSettling
    private let prefetch: Int
    private let lanes: Int
    private let fill: MessageFill
    private let offered: @Sendable (SlotOffer) -> Void
    private let logger: Logger

    private static let backoff = Backoff(base: .milliseconds(250), cap: .seconds(5))
    private static let batchSize = 256

    /// Makes one.
    ///
    /// - Parameters:
    ///   - queues: such as `QueueName.completions(app:)` of every app, or `completions(service:)` of every service.
    ///   - prefetch: how many messages of each queue may be unsettled at a time.
    ///   - lanes: how many batches, of all queues, are settled at once.
    ///   - fill: is told how many completions come in a message.
    ///   - offered: is told what workers offer; it must not block.
    public init(
        broker: any Broker,
        queues: [String],
        settling: CompletionSettling,
        prefetch: Int,
        lanes: Int,
        fill: MessageFill = MessageFill(),
        offered: @escaping @Sendable (SlotOffer) -> Void = { _ in },
        logger: Logger
    ) {
        self.broker = broker
        self.queues = queues
        self.settling = settling
        self.prefetch = prefetch
        self.lanes = lanes
        self.fill = fill
        self.offered = offered
        self.logger = logger
    }

    /// Consumes until the graceful shutdown; what is being settled then may end.
    public func run() async throws {
        let inbox = Inbox<Arrival> { $0.task }
        fill.attach { inbox.count }
        // Beside the others, and never so many that a media store that is away blocks a queue for them.
        let large = Inbox<LargeCompletion>(limit: max(1, prefetch / 2 - CompletionSettling.largeBatch))
        await withTaskGroup(of: CompletionQueue?.self) { subscribing in
            for queue in queues { subscribing.addTask { await subscribe(to: queue, inbox) } }
            await settle(inbox, large)
            for await queue in subscribing {
                guard let queue else { continue }
                subscribing.addTask {
                    await queue.cancel()
                    return nil
                }
            }
        }
    }

    private func settle(_ inbox: Inbox<Arrival>, _ large: Inbox<LargeCompletion>) async {
        let early = Inbox<CompletionSettling.Entry>()
        await withDiscardingTaskGroup { group in
            for _ in 0..<max(1, lanes) {
                group.addTask {
                    while let batch = await inbox.take(upTo: Self.batchSize) {
                        await settling.settle(batch, large: large, early: early)
                        inbox.done(batch)
                    }
                }
            }
            group.addTask {
                while let batch = await large.take(upTo: CompletionSettling.largeBatch) {
                    await settling.settle(large: batch, early: early)
                }
            }
            group.addTask {
                while let batch = await early.take(upTo: Self.batchSize) {
                    await settling.settle(early: batch, early: early)
                }
            }
            await untilShutdown()
            // What is being settled may end; what was not taken goes back to the queues with the subscriptions.
            inbox.close()
            large.close()
            early.close()
        }
    }

    private func untilShutdown() async {
        do { try await gracefulShutdown() } catch {
            // Cancelled instead of asked: the end is the same.
            return
        }
    }

    /// Subscribes, however long the broker is away.
    ///
    /// One that is down at start delays completions and refuses nothing; once up, the adapter reconnects.
    private func subscribe(to name: String, _ inbox: Inbox<Arrival>) async -> CompletionQueue? {
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                // A new one for every try: what came through one that failed must never be settled through another.
                let queue = CompletionQueue()
                do throws(BrokerError) {
                    try await broker.declare(name)
                    let subscription = try await broker.consume(name, prefetch: prefetch) { deliveries in
                        if let generation = deliveries.first?.tag.generation, queue.begins(generation) {
                            // What came before the connection broke can't be settled any more, and comes again.
                            inbox.drop { $0.receipt.queue === queue && $0.receipt.tag.generation != generation }
                        }
                        let arrivals = deliveries.flatMap { Arrival.all(of: $0, in: queue, offered: offered) }
                        fill.add(messages: deliveries.count, completions: arrivals.count)
                        // What finds the inbox closed goes back to the queue with the subscription.
                        inbox.put(arrivals)
                    }
                    queue.attach(subscription)
                    return queue
                } catch {
                    failures += 1
                    if failures == 1 {
                        logger.warning(
                            "the completions queue can't be consumed yet",
                            metadata: [LogKey.queue: "\(name)", LogKey.error: "\(error)"]
                        )
                    }
                    do { try await Task.sleep(for: Self.backoff.delay(afterFailures: failures)) } catch { return nil }
                }
            }
            return nil
        }
    }
}
