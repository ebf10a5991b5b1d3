// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// Says that a service has jobs waiting; whoever takes it claims as many as are due first.
public struct Ticket: Sendable, Hashable {
    /// The job that made the ticket, a hint for logs and traces.
    public var job: JobID?
    /// For how many jobs it is, from 1 to ``maxCount``; a broker's work is by the message.
    public var count: Int

    /// For how many jobs one ticket is at most.
    public static let maxCount = 32

    /// Makes a ticket; a count beyond the bounds becomes the nearest that is allowed.
    public init(job: JobID?, count: Int = 1) {
        self.job = job
        self.count = min(max(1, count), Self.maxCount)
    }

    /// Reads a message's body; anything else than what ``body`` makes is a ticket for one job without a hint, since
    /// tickets are interchangeable.
    public init(body: [UInt8]) {
        if let job = MeshID(bytes: body) {
            self.init(job: job)
        } else {
            let hint = body.dropLast()
            let isTicket = hint.isEmpty || hint.count == 16
            self.init(job: MeshID(bytes: Array(hint)), count: isTicket ? Int(body.last ?? 1) : 1)
        }
    }

    /// The message's body: the hint's 16 bytes or nothing, then the count in one byte unless it is 1.
    public var body: [UInt8] { (job?.bytes ?? []) + (count > 1 ? [UInt8(count)] : []) }
}

extension ServiceDefinition {
    /// For how many jobs a ticket of this service is at most: not for more than one worker can take at once.
    public var ticketSize: Int { min(max(1, concurrency), Ticket.maxCount) }

    /// As few tickets as are for so many jobs, such that none of so many workers gets more than its share, without a hint.
    public func tickets(_ count: Int, among workers: Int = 1) -> [Ticket] {
        let workers = max(1, workers)
        let size = min(ticketSize, max(1, (count + workers - 1) / workers))
        return stride(from: 0, to: count, by: size).map { Ticket(job: nil, count: min(size, count - $0)) }
    }

    /// As few tickets as are for these jobs, shared among so many workers, each with its first job as the hint.
    ///
    /// One for a single job has that job's trace; what several share has none, each job's row tells its own.
    public func tickets(
        for jobs: [(job: JobID, trace: String?)],
        among workers: Int
    ) -> [(ticket: Ticket, trace: String?)] {
        var start = 0
        return tickets(jobs.count, among: workers).map { ticket in
            defer { start += ticket.count }
            let first = jobs[start]
            return (Ticket(job: first.job, count: ticket.count), ticket.count == 1 ? first.trace : nil)
        }
    }
}
