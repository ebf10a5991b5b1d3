// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

/// An answer on its way to a worker; what it carries goes back unless it could be sent.
final class RunPodWorkerDelivery: Sendable {
    private let onLoss: @Sendable () async -> Void
    private let isDone = Atomic(false)

    /// Makes one; `onLoss` runs when the answer is dropped without having been sent.
    init(onLoss: @escaping @Sendable () async -> Void) {
        self.onLoss = onLoss
    }

    deinit {
        guard !isDone.load(ordering: .acquiring) else { return }
        let onLoss = onLoss
        Task.detached { await onLoss() }
    }

    /// The answer has been sent.
    func succeed() {
        isDone.store(true, ordering: .releasing)
    }
}
