// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// Lets an App API make the tickets of a few jobs by itself for a moment, instead of handing each of them over.
///
/// A Service API that has room gives it with its answer to a ``HandOver`` that asks for it (``CreditAsk``); the jobs are
/// then worked on a call earlier. What is not used lapses.
public struct TicketCredit: Sendable, Hashable {
    /// The service.
    public var service: String
    /// For how many jobs tickets may be made.
    public var jobs: Int
    /// How many workers share them, at least 1.
    public var workers: Int
    /// How long it holds, from the answer's arrival on.
    public var duration: Duration

    /// The most jobs that are ticketed by credit at once; more share tickets better when they are handed over.
    public static let group = 4
    /// The most jobs of one credit.
    public static let maxJobs = 256
    /// How long a credit holds at most.
    public static let maxDuration: Duration = .seconds(1)

    /// Makes a credit; numbers beyond the bounds become the nearest that are allowed.
    public init(service: String, jobs: Int, workers: Int, duration: Duration = Self.maxDuration) {
        self.service = service
        self.jobs = min(max(0, jobs), Self.maxJobs)
        self.workers = min(max(1, workers), 100_000)
        self.duration = min(max(.zero, duration), Self.maxDuration)
    }

    /// The credit as JSON.
    public var json: JSON {
        [
            "service": .string(service), "jobs": .number(JSONNumber(jobs)), "workers": .number(JSONNumber(workers)),
            "for_ms": .number(JSONNumber(Int(duration.wholeMilliseconds))),
        ]
    }

    /// Reads a credit; nil when it is not one.
    public init?(json: JSON) {
        guard let service = json["service"]?.string, let jobs = json["jobs"]?.int,
            let duration = json["for_ms"]?.int
        else { return nil }
        self.init(
            service: service,
            jobs: jobs,
            workers: json["workers"]?.int ?? 1,
            duration: .milliseconds(fromElsewhere: duration)
        )
    }
}
