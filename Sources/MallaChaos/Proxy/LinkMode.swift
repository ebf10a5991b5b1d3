// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What a proxy does to what passes through it.
enum LinkMode: Sendable, Hashable {
    /// Everything passes.
    case clean
    /// Every connection is reset, and so is every new one.
    case cut
    /// Connections are taken, nothing passes either way and nothing is closed; when it ends, all of them are reset.
    case halfOpen
    /// Every chunk is 150 to 300 ms late, at 64 KiB a second for each direction of a connection.
    case slow
}
