// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Workflow

/// What ``Admission`` knows of one service: how many jobs wait, and for how many its queue holds tickets.
///
/// Both are counted by ``TicketLoop`` once a second or every few; between its counts what was taken since is added.
struct QueueAccount: Sendable {
    /// For how many jobs a queue holds tickets at most, or about so many where several Service APIs fill it; for up to
    /// four times as many where tickets are for several.
    ///
    /// The rest is made when they are counted: the broker need not carry a giant's ten thousand for which nobody has a
    /// slot. It also bounds what one Service API lets a service do in that time.
    private static let ticketLimit = 5000
    /// A credit is for this part of the room at most.
    private static let creditShare = 16

    let service: ServiceDefinition
    /// The jobs that wait for a worker.
    private(set) var waiting = 0
    /// Whether the backlog was full when last asked.
    private var isFull = false
    /// For how many jobs the queue holds tickets.
    private var ticketed = 0
    /// Whether the queue was ever counted; it is there then.
    private var isCounted = false
    /// Whether the queue holds so many more tickets than jobs that it gets no further ones.
    private var isSurplus = false
    /// For how many jobs a ticket was lately.
    private var made = RecentRatio()
    /// How many workers take the tickets.
    private var workers = 1

    init(_ service: ServiceDefinition) {
        self.service = service
    }

    /// For how many jobs of a service there are tickets at most.
    static func ticketLimit(of service: ServiceDefinition) -> Int { ticketLimit * min(4, service.ticketSize) }

    private var mayHaveMore: Bool {
        service.engine != .remote && !isSurplus && ticketed < Self.ticketLimit(of: service)
    }

    /// Takes room for a job; false when the backlog is full.
    mutating func take() -> Bool {
        guard waiting < service.backlog else { return false }
        waiting += 1
        return true
    }

    /// Notes that the backlog is full; true when it was not before.
    mutating func becameFull() -> Bool {
        defer { isFull = true }
        return !isFull
    }

    /// Takes room for new direct jobs; nil when there is, else how many jobs wait already.
    mutating func reserve(_ count: Int) -> Int? {
        guard waiting == 0 || waiting + count <= service.backlog else { return waiting }
        waiting += count
        return nil
    }

    /// Whether one more job is to get a ticket now, which is counted; the others' are replaced like lost ones.
    mutating func takesTicket() -> Bool {
        guard mayHaveMore else { return false }
        ticketed += 1
        return true
    }

    /// Makes tickets for these jobs, such that no worker gets more than its share of them; counted.
    mutating func tickets(
        for jobs: [(job: JobID, trace: String?)]
    ) -> [(ticket: Ticket, trace: String?)] {
        let tickets = service.tickets(for: jobs, among: workers)
        made.add(messages: tickets.count, parts: jobs.count)
        return tickets
    }

    /// Makes tickets for so many jobs, without hints; counted.
    mutating func tickets(_ count: Int) -> [Ticket] {
        let tickets = service.tickets(count, among: workers)
        made.add(messages: tickets.count, parts: count)
        return tickets
    }

    /// For how many jobs so many tickets in the queue are, as far as those tell that were made lately.
    func jobs(inTickets tickets: Int) -> Int { made.parts(in: tickets) }

    /// Counts the jobs that an App API made tickets for by credit; no more than it can have had.
    mutating func note(_ ask: CreditAsk) {
        let jobs = min(ask.jobs, ask.tickets * service.ticketSize, TicketCredit.maxJobs)
        waiting += jobs
        ticketed += jobs
        made.add(messages: min(ask.tickets, jobs), parts: jobs)
    }

    /// Gives a part of the room to an App API, which makes tickets by itself; nil when more than half of it is taken, and
    /// for a queue that nobody takes tickets from or that may not be there yet.
    ///
    /// What was given takes no room until its use is told or counted: half of the room is enough for what several App
    /// APIs may use meanwhile, and what is not used must refuse no job.
    func credit() -> TicketCredit? {
        let limit = Self.ticketLimit(of: service)
        guard isCounted, mayHaveMore, waiting <= service.backlog / 2, ticketed <= limit / 2 else { return nil }
        let jobs = min(min(service.backlog - waiting, limit - ticketed) / Self.creditShare, TicketCredit.maxJobs)
        return jobs > 0 ? TicketCredit(service: service.name, jobs: jobs, workers: workers) : nil
    }

    /// Notes how many workers take the tickets.
    mutating func note(workers: Int) { self.workers = max(1, workers) }

    /// Notes for how many jobs the queue holds tickets, and whether that is far more than there are due jobs: workers
    /// that claim over HTTP take none away.
    mutating func note(ticketed: Int, isSurplus: Bool) {
        self.ticketed = ticketed
        self.isSurplus = isSurplus
        isCounted = true
    }

    /// Replaces the count of waiting jobs with a fresh one; true when a backlog that was full has room again.
    mutating func recount(_ waiting: Int) -> Bool {
        self.waiting = waiting
        guard isFull, waiting < service.backlog else { return false }
        isFull = false
        return true
    }
}
