// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// "Run these jobs": what an App API tells a Service API once the jobs are in the ledger.
///
/// `POST /mesh/v1/jobs` with `Authorization: Bearer <MESH_TOKEN>`; the ``Answer`` lists the refusals: with status 200, or
/// with 429 and `Retry-After` when every job was refused because the backlogs are full.
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
    /// The credits that are asked for.
    public var asks: [CreditAsk]

    /// Makes a hand-over.
    public init(entries: [Entry], asks: [CreditAsk] = []) {
        self.entries = entries
        self.asks = asks
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
        let json: JSON = ["jobs": .array(jobs)]
        return asks.isEmpty ? json : json.adding("credit", .array(asks.map(\.json)))
    }

    /// What is wrong with a request's body.
    public struct Fault: Error, Sendable, Hashable {
        /// The wrong field as a JSON Pointer (RFC 6901).
        public var field: String
        /// What would be right.
        public var expected: String
    }

    /// Reads a request's body; nil when it is not one.
    public init?(json: JSON) {
        do throws(Fault) { try self.init(reading: json) } catch { return nil }
    }

    /// Reads a request's body.
    ///
    /// - Throws: ``Fault`` with the first wrong field.
    public init(reading json: JSON) throws(Fault) {
        guard let jobs = json["jobs"]?.array else {
            throw Fault(field: "/jobs", expected: "a list of objects with 'job' and 'service'")
        }
        var entries: [Entry] = []
        entries.reserveCapacity(jobs.count)
        for (index, json) in jobs.enumerated() { entries.append(try Self.entry(json, at: "/jobs/\(index)")) }
        // An ask that can't be read is none: its jobs are handed over.
        self.init(entries: entries, asks: (json["credit"]?.array ?? []).compactMap(CreditAsk.init(json:)))
    }

    private static func entry(_ json: JSON, at place: String) throws(Fault) -> Entry {
        guard json.object != nil else { throw Fault(field: place, expected: "an object with 'job' and 'service'") }
        guard let job = json["job"]?.string.flatMap({ MeshID($0) }) else {
            throw Fault(field: "\(place)/job", expected: "the job's id, a UUID")
        }
        guard let service = json["service"]?.string, !service.isEmpty else {
            throw Fault(field: "\(place)/service", expected: "the service's name")
        }
        let definition = try text("definition", of: json, at: place, "the hash of the service's definition, a string")
        let trace = try text("traceparent", of: json, at: place, "the W3C traceparent, a string")
        return Entry(job: job, service: service, definition: definition ?? "", trace: trace.flatMap(plain))
    }

    private static func text(
        _ name: String,
        of json: JSON,
        at place: String,
        _ expected: String
    ) throws(Fault) -> String? {
        switch json[name] {
        case nil, .null?: nil
        case .string(let text)?: text
        case .some: throw Fault(field: "\(place)/\(name)", expected: expected)
        }
    }

    /// A trace that may travel in a header; a job is not refused for one that may not, it goes without.
    private static func plain(_ trace: String) -> String? {
        let isPlain = trace.utf8.count <= 512 && trace.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return isPlain && !trace.isEmpty ? trace : nil
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
            retryAfter: .milliseconds(fromElsewhere: json["retry_after_ms"]?.int ?? 1000)
        )
    }
}
