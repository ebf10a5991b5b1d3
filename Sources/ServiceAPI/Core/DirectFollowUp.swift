// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import Completions
import Ledger
import Plumbing
import ResultStore
import Workflow

/// What follows a commit at a Service API: tickets, cancel hints, webhooks, and whoever waits for an end.
///
/// It never waits.
struct DirectFollowUp: SettledFollowUp {
    let admission: Admission
    let bell: Bell
    let ends: EndWaiters
    let results: any ResultStore
    let callbacks: CallbackSender

    /// After jobs were settled.
    func settled(_ outcome: SettleOutcome) {
        if !outcome.ready.isEmpty {
            admission.post(outcome.ready)
            for service in Set(outcome.ready.map(\.service)) { bell.ring(service) }
        }
        SettledHints(results: results).settled(outcome)
        callbacks.enqueue(outcome.callbacks)
        if !outcome.ended.isEmpty { ends.ended(outcome.ended.map(\.id)) }
    }
}
