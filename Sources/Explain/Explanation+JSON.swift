// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
public import Workflow

extension Explanation {
    /// The explanation as the contract shows it.
    public var json: JSON {
        var json: JSON = [
            "kind": .string(subject.rawValue), "id": .string(id.description), "status": .string(status),
            "since": .string(since.rfc3339), "cause": .string(cause.rawValue), "explanation": .string(sentence),
        ]
        if let service { json = json.adding("service", .string(service)) }
        if let place { json = json.adding("queue", place.json) }
        if subject == .job {
            json = json.adding("workers", .array(workers.map(\.json)))
                .adding("attempts", .array(attempts.map(\.json)))
        } else {
            json = json.adding("stages", .array(stages.map(\.json))).adding("jobs", .array(jobs.map(\.json)))
        }
        let faults = faults.map { ($0.server, JSON.string("\($0.reason); \($0.effect)")) }
        return json.adding("servers_down", .object(JSONObject(faults)))
    }
}

extension Explanation {
    /// What a client may know: where it stands and how long it may take, without workers and servers.
    public var clientJSON: JSON {
        let json: JSON = [
            "kind": .string(subject.rawValue), "id": .string(id.description), "status": .string(status),
            "since": .string(since.rfc3339), "cause": .string(cause.rawValue),
            "stages": .array(stages.map(\.json)),
        ]
        return (place ?? jobs.first?.place).map { json.adding("queue", $0.json) } ?? json
    }
}

extension Explanation.Place {
    fileprivate var json: JSON {
        [
            "ahead": .number(JSONNumber(ahead)), "at_least": .bool(isAtLeast),
            "expected_wait_ms": forecast.map { forecast in
                [
                    "p50": .number(JSONNumber(Int(forecast.p50.wholeMilliseconds))),
                    "p90": .number(JSONNumber(Int(forecast.p90.wholeMilliseconds))),
                ]
            } ?? .null,
        ]
    }
}

extension Explanation.Worker {
    fileprivate var json: JSON {
        let troubles = troubles.map { trouble -> JSON in
            ["at": .string(trouble.at), "message": .string(trouble.message), "output": .string(trouble.output)]
        }
        let jobs = jobs.map { job -> JSON in
            ["id": .string(job.id.description), "started_at": .string(job.startedAt.rfc3339)]
        }
        return [
            "worker_id": .string(record.beat.worker), "name": .string(record.beat.name), "alive": .bool(isAlive),
            "remote": .bool(record.beat.isRemote), "draining": .bool(record.beat.isDraining),
            "slots": .number(JSONNumber(record.beat.slots)), "running": .number(JSONNumber(record.beat.running)),
            "jobs": .array(jobs), "beat_at": .string(record.beatAt.rfc3339), "trouble": .array(troubles),
        ]
    }
}

extension Explanation.Stage {
    fileprivate var json: JSON {
        [
            "stage": .string(name), "status": .string(counters.status.rawValue),
            "total": .number(JSONNumber(counters.total)), "succeeded": .number(JSONNumber(counters.succeeded)),
            "failed": .number(JSONNumber(counters.failed)), "running": .number(JSONNumber(running)),
            "waiting": .number(JSONNumber(waiting)),
        ]
    }
}

extension AttemptRecord {
    fileprivate var json: JSON {
        [
            "attempt": .number(JSONNumber(attempt)), "worker_id": worker.map { .string($0) } ?? .null,
            "started_at": startedAt.map { .string($0.rfc3339) } ?? .null, "ended_at": .string(endedAt.rfc3339),
            "outcome": .string(outcome), "error": error?.json ?? .null,
        ]
    }
}
