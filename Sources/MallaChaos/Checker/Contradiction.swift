// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Something in a history that must not be.
struct Contradiction: Sendable, Hashable, CustomStringConvertible {
    /// The rule, a few words such as `one final state`.
    let rule: String
    /// The task's key, the job's id, or what else it is about.
    let subject: String
    /// What was found, with the times and values that a reader needs.
    let finding: String

    var description: String { "\(rule): \(subject): \(finding)" }
}
