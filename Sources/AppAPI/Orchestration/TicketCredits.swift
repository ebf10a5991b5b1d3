// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// The credits that Service APIs have given, by service: for how many jobs tickets may be made here, and until when.
struct TicketCredits: Sendable {
    private struct Credit {
        var jobs = 0
        var workers = 1
        var end: ContinuousClock.Instant
        /// What was made since it was last asked for.
        var made = (jobs: 0, tickets: 0)
    }

    private var credits: [String: Credit] = [:]

    init() {}

    /// Notes what an answer gives; it replaces what was left of an earlier credit.
    mutating func note(_ granted: [TicketCredit], at now: ContinuousClock.Instant) {
        for given in granted {
            let end = now.advanced(by: given.duration)
            var credit = credits[given.service] ?? Credit(end: end)
            (credit.jobs, credit.workers, credit.end) = (given.jobs, given.workers, end)
            credits[given.service] = credit
        }
    }

    /// For how many jobs of a service tickets may still be made.
    func left(of service: String, at now: ContinuousClock.Instant) -> Int {
        credits[service].map { now < $0.end ? $0.jobs : 0 } ?? 0
    }

    /// Spends credit for all of these jobs; nil when there is not enough, and for so many that they are better handed
    /// over together.
    ///
    /// - Returns: their tickets.
    mutating func spend(
        for jobs: [(job: JobID, trace: String?)],
        of service: ServiceDefinition,
        at now: ContinuousClock.Instant
    ) -> [(ticket: Ticket, trace: String?)]? {
        guard jobs.count <= min(TicketCredit.group, left(of: service.name, at: now)),
            let credit = credits[service.name]
        else { return nil }
        let tickets = service.tickets(for: jobs, among: credit.workers)
        credits[service.name]?.jobs -= jobs.count
        return tickets
    }

    /// Notes what was made by credit, to be told with the next ask; also what could not be told.
    mutating func made(_ tickets: Int, for jobs: Int, of service: String) {
        credits[service]?.made.jobs += jobs
        credits[service]?.made.tickets += tickets
    }

    /// What to ask for along with these jobs: for each service of which they are few and that has no credit left, or
    /// too little for as many more.
    mutating func asks(with entries: [HandOver.Entry], at now: ContinuousClock.Instant) -> [CreditAsk] {
        var counts: [String: Int] = [:]
        for entry in entries { counts[entry.service, default: 0] += 1 }
        return counts.keys.sorted().compactMap { service -> CreditAsk? in
            guard let count = counts[service], count <= TicketCredit.group else { return nil }
            guard left(of: service, at: now) < count else { return nil }
            let made = credits[service]?.made ?? (jobs: 0, tickets: 0)
            credits[service]?.made = (jobs: 0, tickets: 0)
            return CreditAsk(service: service, jobs: made.jobs, tickets: made.tickets)
        }
    }
}
