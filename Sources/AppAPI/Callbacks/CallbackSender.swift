// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Logging
import Plumbing
import ServiceLifecycle
import Synchronization

/// Sends callbacks: a few at a time to each receiver, so that a slow or dead one delays nobody else's.
///
/// What it does not get to within the hold is dropped here and stays in the ledger's outbox, whence it comes again.
final class CallbackSender: Service {
    private static let perReceiver = 4
    private static let inAll = 64
    private static let longestQueue = 1000
    /// A callback that waited longer may already be another process's: it is left to the outbox.
    private static let longestWait: Duration = AppRunFinishing.hold - .seconds(20)

    private struct Waiting {
        let callback: CallbackRecord
        let since: ContinuousClock.Instant
    }

    private struct Receiver {
        var queue: [Waiting] = []
        var active = 0
    }

    private struct State {
        var receivers: [String: Receiver] = [:]
        /// Receivers with something to send and a free slot of their own, in turn.
        var turns: [String] = []
        var known: Set<MeshID> = []
        var active = 0
    }

    private let delivery: CallbackDelivery
    private let state = Mutex(State())
    private let starts: AsyncStream<CallbackRecord>
    private let start: AsyncStream<CallbackRecord>.Continuation

    init(delivery: CallbackDelivery) {
        self.delivery = delivery
        (starts, start) = AsyncStream.makeStream()
    }

    /// How many more callbacks it takes gladly.
    var room: Int { state.withLock { max(0, Self.longestQueue - $0.known.count) } }

    /// Takes callbacks whose hold is this process's; one that is already here is passed over.
    func enqueue(_ callbacks: [CallbackRecord]) {
        guard !callbacks.isEmpty else { return }
        let now = ContinuousClock.now
        let ready = state.withLock { state in
            for callback in callbacks {
                let receiver = Self.receiver(of: callback)
                guard state.receivers[receiver, default: Receiver()].queue.count < Self.longestQueue,
                    state.known.insert(callback.id).inserted
                else { continue }
                state.receivers[receiver, default: Receiver()].queue.append(Waiting(callback: callback, since: now))
                state.turns.append(receiver)
            }
            return Self.takeStartable(&state, now)
        }
        for callback in ready { start.yield(callback) }
    }

    /// Sends until the graceful shutdown; what is under way may end (15 s at most).
    func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await callback in starts {
                    group.addTask { [self] in
                        await delivery.attempt(callback)
                        finished(callback)
                    }
                }
            }
        } onGracefulShutdown: { [start] in
            start.finish()
        }
    }

    private func finished(_ callback: CallbackRecord) {
        let receiver = Self.receiver(of: callback)
        let ready = state.withLock { state in
            state.active -= 1
            state.known.remove(callback.id)
            state.receivers[receiver]?.active -= 1
            if let rest = state.receivers[receiver] {
                if rest.queue.isEmpty {
                    if rest.active == 0 { state.receivers[receiver] = nil }
                } else {
                    state.turns.append(receiver)
                }
            }
            return Self.takeStartable(&state, .now)
        }
        for callback in ready { start.yield(callback) }
    }

    /// Takes what may start now, one receiver after the other.
    private static func takeStartable(_ state: inout State, _ now: ContinuousClock.Instant) -> [CallbackRecord] {
        var ready: [CallbackRecord] = []
        var next = 0
        while next < state.turns.count, state.active < inAll {
            let name = state.turns[next]
            next += 1
            guard var receiver = state.receivers[name], receiver.active < perReceiver, !receiver.queue.isEmpty else {
                continue
            }
            let waiting = receiver.queue.removeFirst()
            if now - waiting.since < longestWait {
                receiver.active += 1
                state.active += 1
                ready.append(waiting.callback)
            } else {
                state.known.remove(waiting.callback.id)
                // It gave up its turn without using the slot.
                if !receiver.queue.isEmpty { state.turns.append(name) }
            }
            state.receivers[name] = receiver.queue.isEmpty && receiver.active == 0 ? nil : receiver
        }
        state.turns.removeFirst(next)
        return ready
    }

    private static func receiver(of callback: CallbackRecord) -> String {
        guard let origin = URLOrigin(callback.url) else { return callback.url }
        return "\(origin.scheme)://\(origin.host):\(origin.port)"
    }
}
