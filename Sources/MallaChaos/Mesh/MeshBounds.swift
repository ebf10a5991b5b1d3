// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How much more than at rest a role may hold after a load, as its pools of connections stay warm.
enum MeshBounds {
    /// Open files beyond those at rest: warm connections and the pipes of handlers.
    static let descriptors = 48

    /// Connections of a link beyond those at rest.
    static func connections(to end: Link.End) -> Int {
        switch end {
        // The clients of these keep a fixed number, some of them only from their first use on.
        case .server(.postgres), .server(.rabbit), .server(.redis): 4
        // HTTP: as many stay warm as were used at once.
        case .server(.s3), .serviceAPI: 32
        // What waited while PostgreSQL was away is sent together, and a receiver that answers gets up to 64 at once.
        case .receiver: 64
        }
    }

    /// The links with more than that.
    static func excess(of held: [Link: Int], over rest: MeshRest) -> [String] {
        held.compactMap { link, count in
            let bound = rest.connections[link, default: 0] + connections(to: link.to)
            return count > bound ? "\(link.from.rawValue) -> \(link.to): \(count), at most \(bound) expected" : nil
        }.sorted()
    }

    /// The roles with more open files than that.
    static func excess(of held: [Role: Int], over rest: MeshRest) -> [String] {
        held.compactMap { role, count in
            let bound = rest.descriptors[role, default: 0] + descriptors
            return count > bound ? "\(role.rawValue): \(count), at most \(bound) expected" : nil
        }.sorted()
    }
}
