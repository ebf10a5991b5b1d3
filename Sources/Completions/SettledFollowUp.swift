// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger

/// What an API does after a commit that settled jobs: tickets, hints, callbacks.
public protocol SettledFollowUp: Sendable {
    /// Called once per commit; it must not wait.
    func settled(_ outcome: SettleOutcome)
}
