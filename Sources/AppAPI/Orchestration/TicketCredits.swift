// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// The credits that Service APIs have given, by service: for how many jobs tickets may be made here, and until when.
struct TicketCredits: Sendable {
    private struct Credit {
        var jobs: Int
        let workers: Int
        let end: ContinuousClock.Instant
    }

    private var credits: [String: Credit] = [:]

    init() {}

    /// Notes what an answer gives; it replaces what was left of an earlier credit.
    mutating func note(_ granted: [TicketCredit], at now: ContinuousClock.Instant) {
        for credit in granted {
            credits[credit.service] = Credit(
                jobs: credit.jobs,
                workers: credit.workers,
                end: now.advanced(by: credit.duration)
            )
        }
    }

    /// Spends credit for all of these jobs; nil when there is not enough, and for so many that they are better handed
    /// over together.
    ///
    /// - Returns: how many workers share their tickets.
    mutating func spend(_ count: Int, of service: String, at now: ContinuousClock.Instant) -> Int? {
        guard count <= TicketCredit.group, let credit = credits[service] else { return nil }
        guard now < credit.end, count <= credit.jobs else {
            // The next hand-over brings a new one.
            credits[service] = nil
            return nil
        }
        credits[service]?.jobs -= count
        return credit.workers
    }
}
