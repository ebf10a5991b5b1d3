// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// One numbered step of the schema; a step that has been released never changes.
struct PostgresMigration: Sendable {
    /// Its number, from 1 without gaps.
    let number: Int
    /// What it is about.
    let name: String
    /// Its statements, one command each.
    let statements: [String]

    /// All steps in order.
    static let all = [PostgresMigration.ledger, .direct, .leases]

    /// Guards migrations against each other; an arbitrary number that nothing else uses.
    static let lock = "SELECT pg_advisory_xact_lock(7163554271011)"

    /// Where the numbers of the steps that were made are kept.
    static let table = """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            number int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())
        """
}
