// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization
public import Workflow

/// The definitions that a ledger has parsed already; a hash is made of the content, so none of them goes stale.
public final class KnownDefinitions: Sendable {
    /// How many are kept: far more than a mesh has in use.
    private static let most = 256

    private let byHash = Mutex<[String: WorkflowDefinition]>([:])

    /// Begins with none.
    public init() {}

    /// The definition of a hash; nil when it is not at hand.
    public subscript(hash: String) -> WorkflowDefinition? { byHash.withLock { $0[hash] } }

    /// Those of these hashes that are at hand.
    public func find(_ hashes: Set<String>) -> [String: WorkflowDefinition] {
        byHash.withLock { known in
            var found: [String: WorkflowDefinition] = [:]
            for hash in hashes { found[hash] = known[hash] }
            return found
        }
    }

    /// Keeps definitions at hand.
    public func keep(_ definitions: [WorkflowDefinition]) {
        byHash.withLock { known in
            for definition in definitions {
                if known.count >= Self.most { known.removeAll() }
                known[definition.hash] = definition
            }
        }
    }
}
