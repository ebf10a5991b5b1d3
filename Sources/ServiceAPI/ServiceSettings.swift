// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Fairness
public import Workflow

/// What a Service API is made with.
public struct ServiceSettings: Sendable {
    /// The services it serves, by name.
    public var services: [String: ServiceDefinition]
    /// All services of the mesh that are known here, for explanations; those it serves among them.
    public var known: [String: ServiceDefinition]
    /// The tokens with which App APIs hand jobs over, `name:token` or plain; none refuses every hand-over.
    public var meshTokens: [String]
    /// The tokens of the job API, `name:token` or plain; none leaves it open.
    public var serviceTokens: [String]
    /// Stands in for these tokens where it names them (`TOKENS_FILE`).
    public var tokensFile: TokensFile?
    /// The largest body of a request in bytes.
    public var maxBody: Int
    /// How long a lease lasts that is held over HTTP, when the worker names no time (`WORKER_LEASE_TIMEOUT`).
    public var leaseDuration: Duration = .seconds(15 * 60)
    /// How long a job stays a RunPod worker's own after its last sign of life (`RUNPOD_LEASE`).
    public var runPodLease: Duration = .seconds(60)
    /// How long finished jobs stay; nil for ever.
    public var retention: Duration?
    /// How long events and progress stay in the result store.
    public var resultTimeToLive: Duration = .seconds(3600)
    /// What `/infra/status` asks: names with addresses that answer with JSON or metrics (`INFRA_STATUS_URLS`).
    public var infrastructure: [(name: String, url: String)] = []
    /// The variables that providers' addresses and keys name.
    public var environment: [String: String] = [:]

    /// Makes settings.
    public init(
        services: [String: ServiceDefinition],
        meshTokens: [String] = [],
        serviceTokens: [String] = [],
        maxBody: Int = 10 << 20
    ) {
        self.services = services
        known = services
        self.meshTokens = meshTokens
        self.serviceTokens = serviceTokens
        self.maxBody = maxBody
    }
}
