// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// What a Service API is made with.
public struct ServiceSettings: Sendable {
    /// The services it serves, by name.
    public var services: [String: ServiceDefinition]
    /// The tokens with which App APIs hand jobs over; none refuses every hand-over.
    public var meshTokens: [String]
    /// The tokens of the job API; none leaves it open.
    public var serviceTokens: [String]
    /// The largest body of a request in bytes.
    public var maxBody: Int

    /// Makes settings.
    public init(
        services: [String: ServiceDefinition],
        meshTokens: [String],
        serviceTokens: [String],
        maxBody: Int = 10 << 20
    ) {
        self.services = services
        self.meshTokens = meshTokens
        self.serviceTokens = serviceTokens
        self.maxBody = maxBody
    }
}
