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
/// hold, and what there is no room for, is dropped here and stays in the ledger's outbox, whence it comes again.
public final class CallbackSender: Service {
    /// How many callbacks of all receivers are under way or unrecorded at once, and how many of them to receivers that
    /// have not answered yet, or not the last time: whoever names receivers could otherwise keep all places busy.
    private static let (inAll, toUnproven) = (256, 128)
    /// How many callbacks are here at most, and how many bytes their bodies have.
    ///
    /// Half as many, and half as many bytes, may wait for receivers that are not proven. One callback is always taken.
    private static let (longestWaitingList, heldBytes) = (5000, 128 << 20)
    /// How many may wait for one receiver: that answers, that nobody knows yet, and that did not answer.
    private static let (longestQueue, longestUnproven, longestSilent) = (1000, 200, 20)
    /// How many receivers that answer are remembered.
    private static let provenAtMost = 4096
    /// How many are taken from the outbox at once, and how often in a row.
    private static let (oneTake, takesAtMost) = (200, 10)

    private struct Receiver {
        var queue = FirstInFirstOut<CallbackRecord>()
        var active = 0
        var window = ReceiverWindow()
        /// Whether it stands in the line of those that may start.
        var isInLine = false
    }

    /// A callback that is here.
    private struct Held {
        /// Since when its hold is this process's.
        var since: ContinuousClock.Instant
        let bytes: Int
        /// Whether it is under way to a receiver that was not proven when it began.
        var isToUnproven = false
    }

    private struct State {
        var receivers: [String: Receiver] = [:]
        /// The receivers that answered when they were last asked.
        var proven: Set<String> = []
        /// Receivers with something to send, in turn: those that are proven, and the others.
        var (line, unprovenLine) = (FirstInFirstOut<String>(), FirstInFirstOut<String>())
        private(set) var held: [MeshID: Held] = [:]
        private(set) var bytes = 0
        var (active, activeToUnproven) = (0, 0)

        /// Whether another callback to a receiver may wait.
        func hasRoom(_ name: String) -> Bool {
            receivers[name].map { $0.queue.count < longestQueue(of: name, $0) } ?? true
        }

        private func longestQueue(of name: String, _ receiver: Receiver) -> Int {
            if proven.contains(name) { return CallbackSender.longestQueue }
            return receiver.window.isSilent ? longestSilent : longestUnproven
        }

        /// Leaves to the outbox what is too much for a receiver that did not answer several times.
        mutating func shorten(_ name: String) {
            guard let receiver = receivers[name], receiver.window.size == 1 else { return }
            for _ in 0..<max(0, receiver.queue.count - longestSilent) {
                if let callback = receivers[name]?.queue.popLast() { letGo(callback.id) }
            }
        }

        /// Takes a callback in, and tells whether there is room for it.
        mutating func hold(_ callback: CallbackRecord, of name: String, since: ContinuousClock.Instant) -> Bool {
            let size = callback.body.count
            let part = proven.contains(name) ? 1 : 2
            guard held.isEmpty || held.count < longestWaitingList / part && bytes + size <= heldBytes / part else {
                return false
            }
            held[callback.id] = Held(since: since, bytes: size)
            bytes += size
            return true
        }

        /// Its hold was renewed.
        mutating func renew(_ id: MeshID, at now: ContinuousClock.Instant) { held[id]?.since = now }

        /// It is under way.
        mutating func begin(_ id: MeshID, isToUnproven: Bool) {
            active += 1
            activeToUnproven += isToUnproven ? 1 : 0
            held[id]?.isToUnproven = isToUnproven
        }

        /// It is under way no more.
        mutating func end(_ id: MeshID) {
            active -= 1
            activeToUnproven -= held[id]?.isToUnproven == true ? 1 : 0
            letGo(id)
        }

        /// It is not here any more.
        mutating func letGo(_ id: MeshID) { bytes -= held.removeValue(forKey: id)?.bytes ?? 0 }
    }

    private let delivery: CallbackDelivery
    private let renewal: Duration
    private let state = Mutex(State())
    private typealias Start = (callback: CallbackRecord, receiver: String)
    private let starts: AsyncStream<Start>
    private let start: AsyncStream<Start>.Continuation

    /// Makes a sender; it takes callbacks from the start and sends them while it runs.
    ///
    /// - Parameter renewal: how often holds are renewed; most callbacks are gone by then.
    public init(delivery: CallbackDelivery, renewal: Duration = .seconds(2)) {
        self.delivery = delivery
        self.renewal = renewal
        (starts, start) = AsyncStream.makeStream()
    }

    /// How many callbacks are here.
    var count: Int { state.withLock { $0.held.count } }

    /// How many more callbacks it takes gladly; a dead receiver's do not count for much, as it holds few of them.
    private var room: Int { state.withLock { max(0, Self.longestWaitingList - $0.held.count) } }

    /// Takes the due callbacks of these apps from the ledger's outbox, as many as there is room for.
    ///
    /// It goes on while most that come find a place, up to 2,000 or for a second, so that a backlog does not wait for the
    /// next call.
    ///
    /// - Parameter apps: names of apps; ``CallbackRecord/directApp`` for direct jobs.
    public func takeDue(of apps: [String], from ledger: any Ledger) async throws(LedgerError) {
        let end = ContinuousClock.now + .seconds(1)
        for _ in 0..<Self.takesAtMost {
            let room = min(Self.oneTake, room)
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
            // A hold that is over may be another process's by now.
            let old = state.withLock { state in
                state.held.mapValues { now - $0.since }.filter { $1 >= renewal && $1 < CallbackRecord.hold }.map(\.key)
            }
            guard !old.isEmpty, !Task.isCancelled else { continue }
            do throws(LedgerError) {
                try await delivery.hold(old)
                state.withLock { state in
                    for id in old { state.renew(id, at: now) }
                }
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
        let (ready, count) = state.withLock { state in
            let before = state.held.count
            for callback in callbacks {
                let name = Self.receiver(of: callback)
                let since = now + min(.zero, callback.dueAt - moment - CallbackRecord.hold)
                // What has no place here is left to the outbox.
                guard state.hasRoom(name), state.held[callback.id] == nil,
                    callback.dueAt > moment + CallbackRecord.hold / 2, state.hold(callback, of: name, since: since)
                else { continue }
                state.receivers[name, default: Receiver()].queue.append(callback)
                Self.lineUp(name, &state)
            }
            let count = state.held.count - before
            return (Self.takeStartable(&state, now), count)
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
                        await delivery.attempt(callback) { isAnswered in ended(receiver, isAnswered) }
                        recorded(callback)
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
                while let callback = state.receivers[name]?.queue.popFirst() { state.letGo(callback.id) }
            }
        }
    }

    /// An attempt ended: its receiver may be sent another.
    private func ended(_ name: String, _ isAnswered: Bool) {
        let ready = state.withLock { state in
            if !isAnswered {
                state.proven.remove(name)
            } else if state.proven.count < Self.provenAtMost {
                state.proven.insert(name)
            }
            state.receivers[name]?.active -= 1
            state.receivers[name]?.window.note(answered: isAnswered)
            if !isAnswered { state.shorten(name) }
            Self.lineUp(name, &state)
            return Self.takeStartable(&state, .now)
        }
        for next in ready { start.yield(next) }
    }

    /// What came of an attempt is recorded: only now its place is free, lest many be sent in vain while the ledger is
    /// away.
    private func recorded(_ callback: CallbackRecord) {
        let ready = state.withLock { state in
            state.end(callback.id)
            return Self.takeStartable(&state, .now)
        }
        for next in ready { start.yield(next) }
    }

    /// Puts a receiver into the line when it may start another callback, and forgets it when it has none.
    private static func lineUp(_ name: String, _ state: inout State) {
        guard let receiver = state.receivers[name], !receiver.isInLine else { return }
        if receiver.queue.isEmpty {
            if receiver.active == 0 { state.receivers[name] = nil }
        } else if receiver.active < receiver.window.size {
            state.receivers[name]?.isInLine = true
            if state.proven.contains(name) { state.line.append(name) } else { state.unprovenLine.append(name) }
        }
    }

    /// The receiver whose turn it is; nil when none may start another callback.
    private static func next(_ state: inout State) -> String? {
        guard state.active < inAll else { return nil }
        // In turn, or a long line of either would starve the other.
        let isOthersTurn = state.activeToUnproven < toUnproven && state.activeToUnproven * 2 <= state.active
        if isOthersTurn, let name = state.unprovenLine.popFirst() { return name }
        if let name = state.line.popFirst() { return name }
        return state.activeToUnproven < toUnproven ? state.unprovenLine.popFirst() : nil
    }

    /// Takes what may start now, one callback of each receiver after the other.
    private static func takeStartable(_ state: inout State, _ now: ContinuousClock.Instant) -> [Start] {
        var ready: [Start] = []
        while let name = next(&state) {
            state.receivers[name]?.isInLine = false
            let isToUnproven = !state.proven.contains(name)
            while let callback = state.receivers[name]?.queue.popFirst() {
                // Its hold was not renewed, as the ledger was away: it may be another process's by now.
                guard let held = state.held[callback.id], now - held.since < CallbackRecord.hold else {
                    state.letGo(callback.id)
                    continue
                }
                state.receivers[name]?.active += 1
                state.begin(callback.id, isToUnproven: isToUnproven)
                ready.append((callback, name))
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
