// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
import Plumbing
public import ServiceLifecycle
import Synchronization

/// Sends callbacks, each receiver in a window of its own, so that a slow or dead one delays nobody else's.
///
/// What it does not get to within the hold is dropped here and stays in the ledger's outbox, whence it comes again.
public final class CallbackSender: Service {
    /// How many callbacks of all receivers are under way at once.
    private static let inAll = 256
    /// How many callbacks wait here in all before no more are taken from the outbox.
    private static let longestWaitingList = 5000
    /// How many are taken from the outbox at once.
    private static let oneTake = 200
    private struct Receiver {
        var queue = FirstInFirstOut<CallbackRecord>()
        var active = 0
        var window = ReceiverWindow()
        /// Whether it stands in the line of those that may start.
        var isInLine = false
    }

    private struct State {
        var receivers: [String: Receiver] = [:]
        /// Receivers with something to send, in turn.
        var line = FirstInFirstOut<String>()
        /// Those that are here, and since when they are held.
        var held: [MeshID: ContinuousClock.Instant] = [:]
        var active = 0
    }

    private let delivery: CallbackDelivery
    private let renewal: Duration
    private let state = Mutex(State())
    private let starts: AsyncStream<CallbackRecord>
    private let start: AsyncStream<CallbackRecord>.Continuation

    /// Makes a sender; it takes callbacks from the start and sends them while it runs.
    ///
    /// - Parameter renewal: how often holds are renewed; most callbacks are gone by then.
    public init(delivery: CallbackDelivery, renewal: Duration = .seconds(2)) {
        self.delivery = delivery
        self.renewal = renewal
        (starts, start) = AsyncStream.makeStream()
    }

    /// How many more callbacks it takes gladly; a dead receiver's do not count for much, as it holds few of them.
    private var room: Int { state.withLock { max(0, Self.longestWaitingList - $0.held.count) } }

    /// Takes the due callbacks of these apps from the ledger's outbox, as many as there is room for.
    ///
    /// - Parameter apps: names of apps; ``CallbackRecord/directApp`` for direct jobs.
    public func takeDue(of apps: [String], from ledger: any Ledger) async throws(LedgerError) {
        let room = min(Self.oneTake, room)
        guard room > 0 else { return }
        enqueue(try await ledger.takeCallbacks(apps: apps, limit: room, hold: CallbackRecord.hold))
    }

    /// Renews the holds of what is here until it is cancelled: attempts outlive a shutdown for a while.
    private func keepHolding() async {
        while !Task.isCancelled {
            // Ends early only when this is cancelled.
            try? await Task.sleep(for: renewal)
            let now = ContinuousClock.now
            // A hold that is over may be another process's by now.
            let old = state.withLock { state in
                state.held.filter { now - $0.value >= renewal && now - $0.value < CallbackRecord.hold }.map(\.key)
            }
            guard !old.isEmpty, !Task.isCancelled else { continue }
            do throws(LedgerError) {
                try await delivery.hold(old)
                state.withLock { state in
                    for id in old where state.held[id] != nil { state.held[id] = now }
                }
            } catch {
                delivery.lostHolds(old.count, error)
            }
        }
    }

    /// Takes callbacks whose hold is this process's; one that is already here is passed over, and one whose hold is over
    /// by the ledger's clock: this process may have stood still since it was written.
    public func enqueue(_ callbacks: [CallbackRecord]) {
        guard !callbacks.isEmpty else { return }
        let now = ContinuousClock.now
        let moment = delivery.now
        let ready = state.withLock { state in
            for callback in callbacks {
                let name = Self.receiver(of: callback)
                let receiver = state.receivers[name, default: Receiver()]
                // What has no place here is left to the outbox.
                guard receiver.queue.count < receiver.window.longestQueue, state.held[callback.id] == nil,
                    callback.dueAt > moment
                else { continue }
                state.held[callback.id] = now + min(.zero, callback.dueAt - moment - CallbackRecord.hold)
                state.receivers[name, default: receiver].queue.append(callback)
                Self.lineUp(name, &state)
            }
            return Self.takeStartable(&state, now)
        }
        for callback in ready { start.yield(callback) }
    }

    /// Sends until the graceful shutdown; what is under way may end (15 s at most).
    public func run() async throws {
        async let _ = keepHolding()
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await callback in starts {
                    group.addTask { [self] in
                        finished(callback, answered: await delivery.attempt(callback))
                    }
                }
            }
        } onGracefulShutdown: { [self] in
            letGo()
            start.finish()
        }
    }

    /// Leaves what has not begun to other processes.
    private func letGo() {
        state.withLock { state in
            for name in state.receivers.keys {
                while let callback = state.receivers[name]?.queue.popFirst() { state.held[callback.id] = nil }
            }
        }
    }

    private func finished(_ callback: CallbackRecord, answered: Bool) {
        let name = Self.receiver(of: callback)
        let ready = state.withLock { state in
            state.active -= 1
            state.held[callback.id] = nil
            state.receivers[name]?.active -= 1
            state.receivers[name]?.window.note(answered: answered)
            Self.lineUp(name, &state)
            return Self.takeStartable(&state, .now)
        }
        for callback in ready { start.yield(callback) }
    }

    /// Puts a receiver into the line when it may start another callback, and forgets it when it has none.
    private static func lineUp(_ name: String, _ state: inout State) {
        guard let receiver = state.receivers[name], !receiver.isInLine else { return }
        if receiver.queue.isEmpty {
            if receiver.active == 0 { state.receivers[name] = nil }
        } else if receiver.active < receiver.window.size {
            state.receivers[name]?.isInLine = true
            state.line.append(name)
        }
    }

    /// Takes what may start now, one callback of each receiver after the other.
    private static func takeStartable(_ state: inout State, _ now: ContinuousClock.Instant) -> [CallbackRecord] {
        var ready: [CallbackRecord] = []
        while state.active < inAll, let name = state.line.popFirst() {
            state.receivers[name]?.isInLine = false
            while let callback = state.receivers[name]?.queue.popFirst() {
                // Its hold was not renewed, as the ledger was away: it may be another process's by now.
                guard let since = state.held[callback.id], now - since < CallbackRecord.hold else {
                    state.held[callback.id] = nil
                    continue
                }
                state.receivers[name]?.active += 1
                state.active += 1
                ready.append(callback)
                break
            }
            lineUp(name, &state)
        }
        return ready
    }

    private static func receiver(of callback: CallbackRecord) -> String {
        guard let origin = URLOrigin(callback.url) else { return callback.url }
        return "\(origin.scheme)://\(origin.host):\(origin.port)"
    }
}
