// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// Says that a service has a job waiting; whoever takes it claims the job that is due first.
public struct Ticket: Sendable, Hashable {
    /// The job that made the ticket, a hint for logs and traces.
    public var job: JobID?

    /// Makes a ticket.
    public init(job: JobID?) {
        self.job = job
    }

    /// Reads a message's body; anything else than an id is a ticket without a hint, since tickets are interchangeable.
    public init(body: [UInt8]) {
        job = MeshID(bytes: body)
    }

    /// The message's body: the hint's 16 bytes, or nothing.
    public var body: [UInt8] { job?.bytes ?? [] }
}
