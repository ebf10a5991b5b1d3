// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

/// Which seat a process belongs to, by the process's name.
final class SeatRegistry: Sendable {
    private let seats = Mutex<[String: HandlerSeat]>([:])

    /// The seat of a running process.
    subscript(_ process: String) -> HandlerSeat? {
        get { seats.withLock { $0[process] } }
        set { seats.withLock { $0[process] = newValue } }
    }
}
