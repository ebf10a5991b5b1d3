// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How much time the rules leave, seconds; what is promised, and what two clocks of one machine may differ.
struct Bounds: Sendable, Hashable {
    /// Between a moment of PostgreSQL and one of the harness.
    var clocks = 0.05
    /// From a cancel's answer until no handler begins any more.
    var cancel = 1.0
    /// How often a worker reads back its leases: it takes the place of a hint that Redis or an App API lost.
    var beat = 2.0
    /// What a step may take on a busy machine, on top of a period.
    var step = 0.5
    /// How late a handler may note that it began, after the worker saw that its deadline had not passed.
    var handOver = 0.1
    /// How late the timer loop may be with a deadline, while nothing is disturbed and after the disturbance's end.
    var timers = 5.0
    /// What a role needs after a fault until it works again: connections come back, a dead worker is noticed.
    var recovery = 10.0
    /// How much of its last work PostgreSQL may lose when it is killed: a claim is not flushed (`synchronous_commit`).
    var unflushed = 1.0
    /// How long a handler that was asked to stop may take until its process is killed.
    var grace = 0.5
    /// Deaths of its handler's process, and of its workers, after which a job counts as poison (design.md, "The life
    /// of a job"); written out, as nothing that the mesh computes may judge it.
    var poisonDeaths = 2
    var poisonOrphanings = 10
    /// How long a worker that is told to end lets its handlers finish (`DRAIN_TIMEOUT` of the mesh under test).
    var drain = 5.0
    /// How long a callback that was answered may take to be recorded.
    var record = 5.0
}
