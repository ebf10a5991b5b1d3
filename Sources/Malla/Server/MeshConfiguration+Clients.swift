// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

extension MeshConfiguration {
    /// How patient a role's HTTP server is with its clients.
    func clientLimits() throws(ConfigurationError) -> ClientLimits {
        var limits = ClientLimits()
        limits.patience = try duration("CLIENT_TIMEOUT", default: limits.patience)
        limits.connections = try int("MAX_CONNECTIONS", default: limits.connections)
        return limits
    }
}
