// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Ledger
import Synchronization
public import Workflow

/// What workers were told of jobs while these were being committed.
public final class WordToWorkers: Sendable {
    private let told = Mutex<(announced: [JobID], revoked: [JobID])>(([], []))

    /// Makes one that was told nothing.
    public init() {}

    /// The jobs that were announced, in order.
    public var announced: [JobID] { told.withLock { $0.announced } }

    /// Those of them that were revoked.
    public var revoked: [JobID] { told.withLock { $0.revoked } }

    func announce(_ jobs: [JobRecord]) { told.withLock { $0.announced += jobs.map(\.job.id) } }

    func revoke(_ jobs: [JobRecord]) { told.withLock { $0.revoked += jobs.map(\.job.id) } }
}
