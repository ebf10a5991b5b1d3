// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// A callback that a process keeps others from taking.
public struct HeldCallback: Sendable, Hashable {
    /// The callback.
    public let id: MeshID
    /// When its hold is over, by the ledger's clock.
    public let dueAt: Timestamp

    /// Names a callback that was taken or written with a hold.
    public init(_ callback: CallbackRecord) { (id, dueAt) = (callback.id, callback.dueAt) }
}
