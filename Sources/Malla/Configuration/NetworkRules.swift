// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer

extension MeshConfiguration {
    /// What clients' URLs may reach: public networks, and those of `CALLBACK_ALLOW_NETWORKS`.
    func guardedPolicy() throws -> NetworkPolicy {
        let networks = try list("CALLBACK_ALLOW_NETWORKS").map { text in
            guard let network = CIDR(parsing: text) else {
                throw ConfigurationError("CALLBACK_ALLOW_NETWORKS", text, "networks such as 10.1.0.0/16,fd00::/8")
            }
            return network
        }
        return .publicOnly(allowing: networks)
    }
}
