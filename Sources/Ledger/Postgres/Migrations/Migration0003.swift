// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

extension PostgresMigration {
    /// Leases that end by time are found without a look at all that runs.
    ///
    /// The jobs of the mesh's own workers have none and stand in no new index.
    static let leases = PostgresMigration(
        number: 3,
        name: "leases",
        statements: ["CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 1 AND lease_until IS NOT NULL"]
    )
}
