// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// "Run these jobs": what an App API tells a Service API once the jobs are in the ledger.
///
/// `POST /mesh/v1/jobs` with `Authorization: Bearer <MESH_TOKEN>`; the answer lists the refusals.
public struct HandOver: Sendable, Hashable {
    /// One job.
    public struct Entry: Sendable, Hashable {
        /// The job.
        public var job: JobID
        /// Its service.
        public var service: String
        /// The hash of the service definition its input was checked against.
        public var definition: String
        /// The W3C `traceparent` of the request.
        public var trace: String?

        /// Makes an entry.
        public init(job: JobID, service: String, definition: String, trace: String?) {
            self.job = job
            self.service = service
            self.definition = definition
            self.trace = trace
        }
    }

    /// One job that is not taken now.
    public struct Refusal: Sendable, Hashable {
        /// The job.
        public var job: JobID
        /// Why, for a log.
        public var reason: String
        /// When to hand it over again.
        public var retryAfter: Duration

        /// Makes a refusal.
        public init(job: JobID, reason: String, retryAfter: Duration) {
            self.job = job
            self.reason = reason
            self.retryAfter = retryAfter
        }
    }

    /// The jobs.
    public var entries: [Entry]

    /// Makes a hand-over.
    public init(entries: [Entry]) {
        self.entries = entries
    }

    /// The request's body.
    public var json: JSON {
        let jobs = entries.map { entry -> JSON in
            let json: JSON = [
                "job": .string(entry.job.description), "service": .string(entry.service),
                "definition": .string(entry.definition),
            ]
            return entry.trace.map { json.adding("traceparent", .string($0)) } ?? json
        }
        return ["jobs": .array(jobs)]
    }

    /// Reads a request's body; nil when it is not one.
    public init?(json: JSON) {
        guard let jobs = json["jobs"]?.array else { return nil }
        var entries: [Entry] = []
        for json in jobs {
            guard let job = json["job"]?.string.flatMap({ MeshID($0) }), let service = json["service"]?.string else {
                return nil
            }
            entries.append(
                Entry(
                    job: job,
                    service: service,
                    definition: json["definition"]?.string ?? "",
                    trace: json["traceparent"]?.string
                )
            )
        }
        self.init(entries: entries)
    }
}

extension HandOver.Refusal {
    /// The refusal as JSON.
    public var json: JSON {
        [
            "job": .string(job.description), "reason": .string(reason),
            "retry_after_ms": .number(JSONNumber(Int(retryAfter.wholeMilliseconds))),
        ]
    }

    /// Reads a refusal; nil when it is not one.
    public init?(json: JSON) {
        guard let job = json["job"]?.string.flatMap({ MeshID($0) }) else { return nil }
        self.init(
            job: job,
            reason: json["reason"]?.string ?? "",
            retryAfter: .milliseconds(json["retry_after_ms"]?.int ?? 1000)
        )
    }
}
