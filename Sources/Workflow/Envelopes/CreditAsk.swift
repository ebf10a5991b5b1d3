// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// Asks for a ``TicketCredit`` with a ``HandOver``, and tells what was made by the last one.
public struct CreditAsk: Sendable, Hashable {
    /// The service.
    public var service: String
    /// For how many jobs tickets were made since the last ask.
    public var jobs: Int
    /// How many tickets these were.
    public var tickets: Int

    /// The most that one ask tells of; far more than any credit allows.
    private static let most = 1_000_000

    /// Makes an ask; numbers that can't be become the nearest that can.
    public init(service: String, jobs: Int = 0, tickets: Int = 0) {
        self.service = service
        self.jobs = min(max(0, jobs), Self.most)
        self.tickets = min(max(0, tickets), self.jobs)
    }

    /// The ask as JSON.
    public var json: JSON {
        [
            "service": .string(service), "jobs": .number(JSONNumber(jobs)), "tickets": .number(JSONNumber(tickets)),
        ]
    }

    /// Reads an ask; nil when it is not one.
    public init?(json: JSON) {
        guard let service = json["service"]?.string else { return nil }
        self.init(service: service, jobs: json["jobs"]?.int ?? 0, tickets: json["tickets"]?.int ?? 0)
    }
}
