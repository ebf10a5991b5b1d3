// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// Who says that he holds a job: a worker, and the lease when he knows it.
struct JobHolder: Sendable, Hashable {
    /// The worker's id.
    var worker: String
    /// The lease; nil lets the worker's id decide.
    var lease: LeaseID?

    /// The lease by which he holds a running job; nil when he does not.
    func lease(of job: Job) -> LeaseID? {
        guard job.state == .running else { return nil }
        if let lease { return job.lease == lease ? lease : nil }
        return job.worker == worker ? job.lease : nil
    }

    /// Whether he held a job when it ended.
    func held(_ job: Job) -> Bool {
        if let lease { return job.lease == lease }
        return job.worker == worker
    }
}
