// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

/// Counts the connections of one server.
final class ConnectionCensus: Sendable {
    private let places: Int
    private let count = Atomic<Int>(0)
    private let refusals = Atomic<Int>(0)

    init(places: Int) {
        self.places = places
    }

    /// Counts a connection in; false when there is no place for it.
    ///
    /// - Parameter isLocal: whether its client is on this machine, where some places are kept.
    func enter(isLocal: Bool) -> Bool {
        let most = places + (isLocal ? ClientLimits.localPlaces : 0)
        guard count.add(1, ordering: .relaxed).newValue <= most else {
            leave()
            return false
        }
        return true
    }

    /// Counts a connection out that was let in.
    func leave() {
        count.subtract(1, ordering: .relaxed)
    }

    /// Counts in a refused connection that waits for its client to read why; false when enough of them do.
    func lingerRefused() -> Bool {
        guard refusals.add(1, ordering: .relaxed).newValue <= ClientLimits.lingeringRefusals else {
            leaveRefused()
            return false
        }
        return true
    }

    /// Counts such a connection out.
    func leaveRefused() {
        refusals.subtract(1, ordering: .relaxed)
    }

    /// Whether places run out, so that those who only hold one have to go.
    var isCrowded: Bool { count.load(ordering: .relaxed) > places - max(1, places / 4) }
}
