// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What is known of the moment at which a job was claimed, by this machine's clock.
struct ClaimMoment {
    /// When the claim was sent, the last time; of an assigned job, about when the ledger had it.
    var sentAt: ContinuousClock.Instant
    /// When the last beat before it was sent.
    var beatAt: ContinuousClock.Instant?
    /// Whether it was sent before, and may have been carried out then.
    var isRepeated: Bool
}
