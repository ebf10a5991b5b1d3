// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How long things last at the calls of RunPod workers.
struct RunPodWorkerTiming: Sendable {
    /// How long a job stays a worker's own after its last sign of life (`RUNPOD_LEASE`).
    var lease: Duration = .seconds(60)
    /// How long a call for jobs or stops is held open; it also bounds how long a worker takes to end after SIGTERM.
    var hold: Duration = .seconds(25)
    /// How often a held call looks at the ledger by itself.
    var tick: Duration = .seconds(1)
    /// How long pings count after the worker's own process has closed all its connections: see trap 5 of the contract.
    var orphanGrace: Duration = .seconds(10)
    /// How long the ledger may be away before a result is refused with 503, to be sent again.
    var patience: Duration = .seconds(20)
    /// How long a job may have been over by its worker's words before it fails for want of a result: the result may have
    /// been taken in by another API and be on its way.
    var unanswered: Duration = .seconds(10)
    /// How long a silent worker is remembered.
    var memory: Duration = .seconds(600)

    /// The usual times for a lease: a worker that does nothing but wait calls twice before it runs out.
    init(forLease lease: Duration) {
        self.lease = lease
        hold = min(hold, lease / 2)
    }

    /// Makes the usual times.
    init() {}

    /// How often the leases of a worker are renewed that calls often.
    var renewalInterval: Duration { lease / 12 }
}
