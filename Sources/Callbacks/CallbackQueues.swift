// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing

/// The callbacks that are here, each receiver's in a queue of its own, and which of them may start.
///
/// A receiver that does not answer holds few of the places, and all that do not answer have half of them together.
struct CallbackQueues: Sendable {
    /// A callback that is to be sent now, and its receiver's name.
    typealias Start = (callback: CallbackRecord, receiver: String)

    /// How many callbacks of all receivers are under way or unrecorded at once, and how many of them to receivers that
    /// have not answered yet, or not the last time: whoever names receivers could otherwise keep all places busy.
    private static let (inAll, toUnproven) = (256, 128)
    /// How many callbacks are here at most, and how many bytes their bodies have.
    ///
    /// Half as many, and half as many bytes, may wait for receivers that are not proven. One callback is always taken.
    private static let (longestWaitingList, heldBytes) = (5000, 128 << 20)
    /// How many may wait for one receiver: that answers (what a fast one is sent in a second or two, as more come from
    /// the outbox every second), that nobody knows yet, and that did not answer.
    private static let (longestQueue, longestUnproven, longestSilent) = (2000, 200, 20)
    /// How many receivers that answer are remembered.
    private static let provenAtMost = 4096

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

    private var receivers: [String: Receiver] = [:]
    /// The receivers that answered when they were last asked.
    private var proven: Set<String> = []
    /// Receivers with something to send, in turn: those that are proven, and the others.
    private var (line, unprovenLine) = (FirstInFirstOut<String>(), FirstInFirstOut<String>())
    private var held: [MeshID: Held] = [:]
    private var bytes = 0
    private var (active, activeToUnproven) = (0, 0)
    private var surplus = CallbackSurplus()

    /// How many callbacks are here.
    var count: Int { held.count }

    /// How many more are taken gladly; a dead receiver's do not count for much, as few of them are held.
    var room: Int { max(0, Self.longestWaitingList - held.count) }

    /// Takes a callback in unless it is here already, or there is no room for it.
    mutating func take(_ callback: CallbackRecord, since: ContinuousClock.Instant) {
        guard held[callback.id] == nil else { return }
        let (name, size) = (Self.receiver(of: callback), callback.body.count)
        guard held.isEmpty || room(for: name).fits(size) else {
            // A silent receiver's come again once their hold is over: early enough.
            if receivers[name]?.window.isSilent != true { surplus.note(callback, of: name) }
            return
        }
        held[callback.id] = Held(since: since, bytes: size)
        bytes += size
        receivers[name, default: Receiver()].queue.append(callback)
        lineUp(name)
    }

    /// What had no room when it came and would have some now, up to `limit`, to be given back to the outbox: whoever has
    /// room takes it.
    mutating func takeSurplus(at moment: Timestamp, atMost limit: Int) -> [HeldCallback] {
        // Moved out, as the closure looks at the rest of this value; a copy would be of all that is in it.
        var rest = CallbackSurplus()
        swap(&rest, &surplus)
        defer { surplus = rest }
        return rest.take(at: moment, atMost: limit) { name in room(for: name) }
    }

    /// Takes what may start now, one callback of each receiver after the other.
    mutating func takeStartable(_ now: ContinuousClock.Instant) -> [Start] {
        var ready: [Start] = []
        while let name = next() {
            receivers[name]?.isInLine = false
            while let callback = receivers[name]?.queue.popFirst() {
                // Its hold was not renewed, as the ledger was away: it may be another process's by now.
                guard let since = held[callback.id]?.since, now - since < CallbackRecord.hold else {
                    letGo(callback.id)
                    continue
                }
                begin(callback.id, to: name)
                ready.append((callback, name))
                break
            }
            lineUp(name)
        }
        return ready
    }

    /// An attempt ended: its receiver may be sent another.
    mutating func ended(_ name: String, isAnswered: Bool) {
        if !isAnswered {
            proven.remove(name)
        } else if proven.count < Self.provenAtMost {
            proven.insert(name)
        }
        receivers[name]?.active -= 1
        receivers[name]?.window.note(answered: isAnswered)
        if !isAnswered { shorten(name) }
        lineUp(name)
    }

    /// What came of an attempt is recorded: only now its place is free, lest many be sent in vain while the ledger is
    /// away.
    mutating func recorded(_ id: MeshID) {
        active -= 1
        activeToUnproven -= held[id]?.isToUnproven == true ? 1 : 0
        letGo(id)
    }

    /// The callbacks whose hold is at least `age` old and not over: one that is may be another process's by now.
    func held(for age: Duration, at now: ContinuousClock.Instant) -> [MeshID] {
        held.filter { now - $1.since >= age && now - $1.since < CallbackRecord.hold }.map(\.key)
    }

    /// The holds of these were renewed.
    mutating func renew(_ ids: [MeshID], at now: ContinuousClock.Instant) {
        for id in ids { held[id]?.since = now }
    }

    /// Leaves what has not begun to other processes.
    mutating func letGoOfWaiting() {
        for name in receivers.keys {
            while let callback = receivers[name]?.queue.popFirst() { letGo(callback.id) }
        }
    }

    /// What more may wait for a receiver.
    private func room(for name: String) -> CallbackRoom {
        let isProven = proven.contains(name)
        let longest =
            isProven
            ? Self.longestQueue
            : receivers[name]?.window.isSilent == true ? Self.longestSilent : Self.longestUnproven
        let part = isProven ? 1 : 2
        return CallbackRoom(
            own: longest - (receivers[name]?.queue.count ?? 0),
            all: Self.longestWaitingList / part - held.count,
            bytes: Self.heldBytes / part - bytes
        )
    }

    /// Leaves to the outbox what is too much for a receiver that did not answer several times.
    private mutating func shorten(_ name: String) {
        guard let receiver = receivers[name], receiver.window.size == 1 else { return }
        for _ in 0..<max(0, receiver.queue.count - Self.longestSilent) {
            if let callback = receivers[name]?.queue.popLast() { letGo(callback.id) }
        }
    }

    /// It is under way.
    private mutating func begin(_ id: MeshID, to name: String) {
        let isToUnproven = !proven.contains(name)
        receivers[name]?.active += 1
        active += 1
        activeToUnproven += isToUnproven ? 1 : 0
        held[id]?.isToUnproven = isToUnproven
    }

    /// It is not here any more.
    private mutating func letGo(_ id: MeshID) { bytes -= held.removeValue(forKey: id)?.bytes ?? 0 }

    /// Puts a receiver into the line when it may start another callback, and forgets it when it has none.
    private mutating func lineUp(_ name: String) {
        guard let receiver = receivers[name], !receiver.isInLine else { return }
        if receiver.queue.isEmpty {
            if receiver.active == 0 { receivers[name] = nil }
        } else if receiver.active < receiver.window.size {
            receivers[name]?.isInLine = true
            if proven.contains(name) { line.append(name) } else { unprovenLine.append(name) }
        }
    }

    /// The receiver whose turn it is; nil when none may start another callback.
    private mutating func next() -> String? {
        guard active < Self.inAll else { return nil }
        // In turn, or a long line of either would starve the other.
        let isOthersTurn = activeToUnproven < Self.toUnproven && activeToUnproven * 2 <= active
        if isOthersTurn, let name = unprovenLine.popFirst() { return name }
        if let name = line.popFirst() { return name }
        return activeToUnproven < Self.toUnproven ? unprovenLine.popFirst() : nil
    }

    private static func receiver(of callback: CallbackRecord) -> String {
        guard let origin = URLOrigin(callback.url) else { return callback.url }
        return "\(origin.scheme)://\(origin.host):\(origin.port)"
    }
}
