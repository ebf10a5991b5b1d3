// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A connection between two parts of the mesh, which goes through a proxy of ours.
struct Link: Sendable, Hashable {
    /// Where it leads.
    enum End: Sendable, Hashable {
        case server(Server)
        /// An App API's way to its Service API.
        case serviceAPI
        /// The way of callbacks.
        case receiver
    }

    let from: Role
    let to: End

    /// All links of the mesh.
    static let all: [Link] = Role.allCases.flatMap { role in
        let servers = Server.allCases.map { Link(from: role, to: .server($0)) }
        switch role.kind {
        case .appAPI: return servers + [Link(from: role, to: .serviceAPI), Link(from: role, to: .receiver)]
        case .serviceAPI, .worker: return servers
        }
    }
}
