// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How a task ends, in the ledger's words.
enum Verdict: String, Sendable, Hashable, CaseIterable {
    case succeeded
    case failed
    case timedOut = "timed_out"
    case cancelled
}
