// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Why a handler was stopped before its end.
enum StopReason: Sendable, Hashable {
    /// The ledger says that the job was cancelled or timed out, or no longer belongs to this lease: forget it.
    case forgotten
    /// A hint says that it was cancelled; the ledger has the last word at the next beat.
    case hinted
    /// The attempt took too long.
    case timedOut
    /// The deadline passed; the ledger's timer loop ends the job.
    case deadline
    /// It waited too long to run alone.
    case crowded
    /// The worker drains and its time is up.
    case drained
}
