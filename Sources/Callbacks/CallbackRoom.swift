// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What more may wait for a receiver.
struct CallbackRoom: Sendable {
    /// How many callbacks, by what waits for this receiver.
    var own: Int
    /// How many, by what waits for all.
    var all: Int
    /// How many bytes their bodies may have.
    var bytes: Int

    /// Whether a callback with so large a body has room.
    func fits(_ size: Int) -> Bool { own > 0 && all > 0 && size <= bytes }
}
