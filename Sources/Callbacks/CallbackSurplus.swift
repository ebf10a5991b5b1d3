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

    private var receivers: [String: FirstInFirstOut<HeldCallback>] = [:]
    private var count = 0

    /// Remembers a callback.
    mutating func note(_ callback: CallbackRecord, of receiver: String) {
        guard count < Self.mostRemembered else { return }
        receivers[receiver, default: FirstInFirstOut()].append(HeldCallback(callback))
        count += 1
    }

    /// Takes those for which there is room by now, each receiver's oldest first; those whose hold is over are forgotten.
    mutating func take(at moment: Timestamp, atMost limit: Int, room: (String) -> Int) -> [HeldCallback] {
        var taken: [HeldCallback] = []
        for name in receivers.keys {
            let most = min(room(name), limit - taken.count)
            var found = 0
            while let oldest = receivers[name]?.first, found < most || oldest.dueAt <= moment {
                _ = receivers[name]?.popFirst()
                count -= 1
                guard oldest.dueAt > moment else { continue }
                taken.append(oldest)
                found += 1
            }
            if receivers[name]?.isEmpty == true { receivers[name] = nil }
        }
        return taken
    }
}
