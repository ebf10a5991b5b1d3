// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Tells the worker's lines that they may look again; many calls at once count as one.
struct WorkerWake: Sendable {
    /// What fires, for one listener.
    let signals: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (signals, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Wakes the lines.
    func fire() { continuation.yield() }
}
