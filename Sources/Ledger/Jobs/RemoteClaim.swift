// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// A claim by a worker that does not beat in the ledger: its jobs are its own until their leases run out.
public struct RemoteClaim: Sendable {
    /// The service whose jobs it takes.
    public var service: String
    /// Only of these task types, nil for any; a job without labels has none.
    public var taskTypes: [String]?
    /// Only of these model profiles; nil for any.
    public var modelProfiles: [String]?
    /// The worker's id.
    public var worker: String
    /// A fresh lease for each job that it would take.
    public var leases: [LeaseID]
    /// How long the leases last.
    public var duration: Duration

    /// Makes a claim.
    public init(
        service: String,
        taskTypes: [String]? = nil,
        modelProfiles: [String]? = nil,
        worker: String,
        leases: [LeaseID],
        duration: Duration
    ) {
        self.service = service
        self.taskTypes = taskTypes
        self.modelProfiles = modelProfiles
        self.worker = worker
        self.leases = leases
        self.duration = duration
    }
}
