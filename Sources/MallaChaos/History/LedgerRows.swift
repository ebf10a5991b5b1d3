// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A run's rows of the ledger, as PostgreSQL itself tells them (`row_to_json`), not as Malla reads them.
struct LedgerRows: Sendable, Hashable {
    var tasks: [JSON] = []
    var runs: [JSON] = []
    var jobs: [JSON] = []
    var callbacks: [JSON] = []
}
