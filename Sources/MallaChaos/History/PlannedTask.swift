// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A task that the load submits, and how it may end.
struct PlannedTask: Sendable, Hashable {
    /// Unique over all runs; it is sent as `x-request-id` and is the member `key` of the payload.
    let key: String
    /// The `x-user-id`: one or a few for each run, none shared between runs.
    let user: String
    /// The method of the app `chaos`.
    let method: String
    /// What is sent as `payload`; it tells every handler what to do.
    let payload: JSON
    /// When it is submitted, seconds from the start of the run.
    let at: Double
    /// How long after the answer it is cancelled, seconds; nil when it is not.
    let cancelAfter: Double?
    /// How long it may take, seconds, when its workflow says so.
    let deadline: Double?
    /// The ends that its handlers' answers, its cancellation and its deadline allow.
    let verdicts: Set<Verdict>
    /// Whether the receiver answers 410 to its callback: it is then tried once and no more.
    let receiverIsGone: Bool
}
