// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Something that goes wrong in a run, from its seed.
struct Fault: Sendable, Hashable {
    /// What happens.
    enum Kind: String, Sendable, Hashable, CaseIterable {
        /// SIGKILL; started again after `lasting`.
        case kill
        /// SIGSTOP, then SIGCONT after `lasting`, which is beyond the lease.
        case freeze
        /// SIGTERM as a deploy does; started again when it has ended.
        case restart
        /// SIGKILL to the processes of a worker's handlers.
        case killHandlers = "kill-handlers"
        /// The clock of a process jumps by an hour or back, for `lasting`.
        case clockJump = "clock-jump"
        /// All connections of a link are reset, and new ones are too, for `lasting`.
        case cut
        /// Nothing passes either way and nothing is closed, for `lasting`; then all of it is reset.
        case halfOpen = "half-open"
        /// Every chunk is late by a good part of a second and the rate is low, for `lasting`.
        case slow
        /// The server comes back without any data (RabbitMQ).
        case wipe
        /// All keys are gone (Redis).
        case flush
        /// No object can be written, for `lasting` (S3).
        case diskFull = "disk-full"
        /// The receiver takes the request and never answers, for `lasting`.
        case hang
        /// The receiver answers 500, for `lasting`.
        case serverError = "answer-500"
        /// The receiver answers 410 to the callbacks of tasks that are marked for it, for the whole run.
        case gone = "answer-410"
    }

    /// What it happens to.
    enum Target: Sendable, Hashable {
        case role(Role)
        case server(Server)
        case link(Link)
        case receiver
    }

    let kind: Kind
    let target: Target
    /// When, seconds from the start of the run.
    let at: Double
    /// How long it lasts, seconds; 0 where it is over at once.
    let lasting: Double
}
