// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing

/// The callbacks that this process holds in the outbox and had no room for: their ids, not their bodies.
///
/// Without them a burst's last callbacks would wait until their hold is over, though their receiver is long idle.
struct CallbackSurplus: Sendable {
    /// How many are remembered; the rest comes again once its hold is over.
    private static let mostRemembered = 20_000

    private struct Entry {
        let callback: HeldCallback
        let bytes: Int
    }

    private var receivers: [String: FirstInFirstOut<Entry>] = [:]
    private var count = 0

    /// Remembers a callback.
    mutating func note(_ callback: CallbackRecord, of receiver: String) {
        guard count < Self.mostRemembered else { return }
        let entry = Entry(callback: HeldCallback(callback), bytes: callback.body.count)
        receivers[receiver, default: FirstInFirstOut()].append(entry)
        count += 1
    }

    /// Takes those for which there is room by now, each receiver's oldest first; those whose hold is over are forgotten.
    ///
    /// - Parameter room: what more may wait for a receiver, as things stand.
    mutating func take(at moment: Timestamp, atMost limit: Int, room: (String) -> CallbackRoom) -> [HeldCallback] {
        var taken: [HeldCallback] = []
        var bytes = 0
        for name in receivers.keys {
            // What is taken for others takes of the room of all.
            var room = room(name)
            room.all = min(room.all, limit) - taken.count
            room.bytes -= bytes
            while let oldest = receivers[name]?.first, room.fits(oldest.bytes) || oldest.callback.dueAt <= moment {
                _ = receivers[name]?.popFirst()
                count -= 1
                guard oldest.callback.dueAt > moment else { continue }
                taken.append(oldest.callback)
                bytes += oldest.bytes
                room = CallbackRoom(own: room.own - 1, all: room.all - 1, bytes: room.bytes - oldest.bytes)
            }
            if receivers[name]?.isEmpty == true { receivers[name] = nil }
        }
        return taken
    }
}
