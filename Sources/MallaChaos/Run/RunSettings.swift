// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How large a run is.
struct RunSettings: Sendable, Hashable {
    /// How many tasks the clients submit.
    var tasks = 100
    /// How many faults happen.
    var faults = 8
    /// A part of the names of faults to choose from; empty for all.
    var only = ""
    /// Over how many seconds both are spread.
    var seconds = 8.0
    /// Whether every role is restarted in turn, as a deploy does, in place of random faults.
    var isRolling = false
    /// How long everything may take to end once all faults are healed.
    var patience: Duration = .seconds(90)
}
