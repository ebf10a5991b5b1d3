// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A process of the mesh under test.
enum Role: String, Sendable, Hashable, CaseIterable {
    case appAPI1 = "app-api-1"
    case appAPI2 = "app-api-2"
    case serviceAPI1 = "service-api-1"
    case serviceAPI2 = "service-api-2"
    case worker1 = "worker-1"
    case worker2 = "worker-2"
    case worker3 = "worker-3"

    /// What the process does; faults are counted by this.
    enum Kind: String, Sendable, Hashable, CaseIterable {
        case appAPI = "app-api"
        case serviceAPI = "service-api"
        case worker
    }

    /// What this process does.
    var kind: Kind {
        switch self {
        case .appAPI1, .appAPI2: .appAPI
        case .serviceAPI1, .serviceAPI2: .serviceAPI
        case .worker1, .worker2, .worker3: .worker
        }
    }
}
