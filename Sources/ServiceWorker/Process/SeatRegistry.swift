// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

/// Which seat a process belongs to, by the process's name.
final class SeatRegistry: Sendable {
    /// Weak: an engine that nobody holds any more must let go of its seats, and they of their processes.
    private struct Entry {
        weak var seat: HandlerSeat?
    }

    private let entries = Mutex<[String: Entry]>([:])

    /// The seat of a running process.
    subscript(_ process: String) -> HandlerSeat? {
        get { entries.withLock { $0[process]?.seat } }
        set { entries.withLock { $0[process] = newValue.map { Entry(seat: $0) } } }
    }
}
