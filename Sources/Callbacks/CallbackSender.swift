// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
import Plumbing
public import ServiceLifecycle
import Synchronization

/// Sends callbacks, each receiver in a window of its own, so that a slow or dead one delays nobody else's.
///
/// However many do not answer, those that do have half of all places to themselves. What it does not get to within the
/// hold, and what there is no room for, is dropped here and stays in the ledger's outbox, whence it comes again: as soon
/// as there is room, unless its receiver does not answer.
public final class CallbackSender: Service {
    /// How many are taken from the outbox at once, and how often in a row.
    private static let (oneTake, takesAtMost) = (200, 10)

    private let delivery: CallbackDelivery
    private let renewal: Duration
    private let queues = Mutex(CallbackQueues())
    private let starts: AsyncStream<CallbackQueues.Start>
    private let start: AsyncStream<CallbackQueues.Start>.Continuation

    /// Makes a sender; it takes callbacks from the start and sends them while it runs.
    ///
    /// - Parameter renewal: how often holds are renewed; most callbacks are gone by then.
    public init(delivery: CallbackDelivery, renewal: Duration = .seconds(2)) {
        self.delivery = delivery
        self.renewal = renewal
        (starts, start) = AsyncStream.makeStream()
    }

    /// How many callbacks are here.
    var count: Int { queues.withLock { $0.count } }

    /// Takes the due callbacks of these apps from the ledger's outbox, as many as there is room for.
    ///
    /// Those that came when there was none are given back to it first. It goes on while most that come find a place, up
    /// to 2,000 or for a second, so that a backlog does not wait for the next call.
    ///
    /// - Parameter apps: names of apps; ``CallbackRecord/directApp`` for direct jobs.
    public func takeDue(of apps: [String], from ledger: any Ledger) async throws(LedgerError) {
        let end = ContinuousClock.now + .seconds(1)
        let moment = delivery.now
        let surplus = queues.withLock { $0.takeSurplus(at: moment, atMost: Self.oneTake * Self.takesAtMost) }
        if !surplus.isEmpty { try await ledger.releaseCallbacks(surplus) }
        for _ in 0..<Self.takesAtMost {
            let room = min(Self.oneTake, queues.withLock { $0.room })
            guard room > 0 else { return }
            let due = try await ledger.takeCallbacks(apps: apps, limit: room, hold: CallbackRecord.hold)
            // Those of a receiver that does not answer have no place, and come again once their hold is over.
            guard enqueue(due) * 2 >= room, due.count == room, .now < end else { return }
        }
    }

    /// Renews the holds of what is here until it is cancelled: attempts outlive a shutdown for a while.
    private func keepHolding() async {
        while !Task.isCancelled {
            // Ends early only when this is cancelled.
            try? await Task.sleep(for: renewal)
            let now = ContinuousClock.now
            let old = queues.withLock { $0.held(for: renewal, at: now) }
            guard !old.isEmpty, !Task.isCancelled else { continue }
            do throws(LedgerError) {
                try await delivery.hold(old)
                queues.withLock { $0.renew(old, at: now) }
            } catch {
                delivery.lostHolds(old.count, error)
            }
        }
    }

    /// Takes callbacks whose hold is this process's, as many as there is room for.
    ///
    /// One that is here already is passed over, and one whose hold is half over by the ledger's clock: this process may
    /// have stood still since it was written, or the commit took long, and the rest may be too short for the first
    /// renewal. Whoever is next to take it sends it.
    ///
    /// - Returns: how many found a place.
    @discardableResult
    public func enqueue(_ callbacks: [CallbackRecord]) -> Int {
        guard !callbacks.isEmpty else { return 0 }
        let now = ContinuousClock.now
        let moment = delivery.now
        let (ready, count) = queues.withLock { queues in
            let before = queues.count
            for callback in callbacks where callback.dueAt > moment + CallbackRecord.hold / 2 {
                let since = now + min(.zero, callback.dueAt - moment - CallbackRecord.hold)
                queues.take(callback, since: since)
            }
            let count = queues.count - before
            return (queues.takeStartable(now), count)
        }
        for next in ready { start.yield(next) }
        return count
    }

    /// Sends until the graceful shutdown; what is under way may end (15 s at most).
    public func run() async throws {
        async let _ = keepHolding()
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await (callback, receiver) in starts {
                    group.addTask { [self] in
                        await delivery.attempt(callback) { isAnswered in
                            startNext { $0.ended(receiver, isAnswered: isAnswered) }
                        }
                        startNext { $0.recorded(callback.id) }
                    }
                }
            }
        } onGracefulShutdown: { [self] in
            queues.withLock { $0.letGoOfWaiting() }
            start.finish()
        }
    }

    /// Starts what may start after a change.
    private func startNext(after change: (inout CallbackQueues) -> Void) {
        let ready = queues.withLock { queues in
            change(&queues)
            return queues.takeStartable(.now)
        }
        for next in ready { start.yield(next) }
    }
}
