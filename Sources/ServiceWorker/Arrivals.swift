// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Synchronization
internal import Workflow

/// Which assigned jobs came, and which were given back because they had not: one that comes late must not run.
final class Arrivals: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct State {
        var arrived: [LeaseID: Instant] = [:]
        var refused: [LeaseID: Instant] = [:]
    }

    /// What came this long ago is in the table of leases or gone.
    private static let shortly: Duration = .seconds(2)
    /// What comes later than this begins only on the ledger's word, as it is old (``LeaseWord``).
    private static let late: Duration = .seconds(60)

    private let state = Mutex(State())

    init() {}

    /// Notes that a job came; false when it was given back already, or came before.
    func admit(_ lease: LeaseID, at now: Instant) -> Bool {
        state.withLock { state in
            guard state.refused[lease] == nil else { return false }
            return state.arrived.updateValue(now, forKey: lease) == nil
        }
    }

    /// Notes that a job is given back without having come; false when it came just now.
    func refuse(_ lease: LeaseID, at now: Instant) -> Bool {
        state.withLock { state in
            guard state.arrived[lease] == nil else { return false }
            state.refused[lease] = now
            return true
        }
    }

    /// Forgets what is long ago.
    func forget(at now: Instant) {
        state.withLock { state in
            state.arrived = state.arrived.filter { now < $0.value.advanced(by: Self.shortly) }
            state.refused = state.refused.filter { now < $0.value.advanced(by: Self.late) }
        }
    }
}
