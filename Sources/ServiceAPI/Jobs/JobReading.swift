// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import Plumbing
import Workflow

/// Answers what people ask about jobs and workers, in the shapes of the job contract.
struct JobListing: Sendable {
    let ledger: any Ledger

    /// The states that a status of the contract stands for: a timed-out job shows as failed.
    private static let states: [String: [JobState]] = [
        "pending": [.waiting], "queued": [.waiting], "running": [.running], "completed": [.succeeded],
        "failed": [.failed, .timedOut], "cancelled": [.cancelled],
    ]

    private static let filters = ["cursor", "limit", "service", "status"]

    /// Deeper than a request's body may be: a workflow may wrap an input or a result in further objects.
    private static let storedDepth = 256

    /// `GET /api/v1/jobs?status=&service=&limit=&cursor=`: newest first, stable under inserts.
    func jobs(_ query: Parameters) async throws -> Response {
        // A filter that is passed over would show jobs that nobody asked for.
        for name in query.map(\.key) where !Self.filters.contains(String(name)) {
            let known = Self.filters.joined(separator: ", ")
            throw Problem(
                .unprocessableContent,
                "there is no filter '\(name.prefix(64))'; there are: \(known)",
                field: String(name.prefix(64))
            )
        }
        let limit = try limit(query["limit"])
        let states = try states(query["status"])
        let cursor = try query["cursor"].map { text in
            guard let id = MeshID(text) else {
                throw Problem(.unprocessableContent, "give the 'next_cursor' of an earlier answer", field: "cursor")
            }
            return id
        }
        let service = query["service"].map { String($0) }
        var jobs: [Job] = []
        for state in states {
            jobs += try await ledger.jobs(service: service, state: state, before: cursor, limit: limit)
        }
        if states.count > 1 { jobs = Array(jobs.sorted { $0.id > $1.id }.prefix(limit)) }
        let next = jobs.count == limit ? jobs.last.map { JSON.string($0.id.description) } : nil
        return .json(["jobs": .array(jobs.map { json(of: $0) }), "next_cursor": next ?? .null])
    }

    private func limit(_ text: Substring?) throws(Problem) -> Int {
        guard let text else { return 50 }
        guard let limit = Int(text), (1...500).contains(limit) else {
            throw Problem(.unprocessableContent, "give a whole number from 1 to 500", field: "limit")
        }
        return limit
    }

    /// The states to look for; nil looks for any.
    private func states(_ name: Substring?) throws(Problem) -> [JobState?] {
        guard let name else { return [nil] }
        guard let states = Self.states[String(name)] else {
            let known = Self.states.keys.sorted().joined(separator: ", ")
            throw Problem(.unprocessableContent, "'\(name.prefix(64))' is not one of \(known)", field: "status")
        }
        return states
    }

    /// The form: `GET /api/v1/jobs/{id}`.
    func job(_ text: String) async throws -> Response {
        guard let id = MeshID(text) else {
            throw Problem(.notFound, "'\(text.prefix(64))' is not the id of a job: a UUID is", field: "id")
        }
        guard let record = try await ledger.job(id) else {
            throw Problem(.notFound, "there is no job '\(id)'; finished ones are deleted after a while", field: "id")
        }
        let input = try JSON(parsing: record.input, maxDepth: Self.storedDepth)
        let result = try record.result.map { try JSON(parsing: $0, maxDepth: Self.storedDepth) }
        return .json(json(of: record.job).adding("input", input).adding("result", result ?? .null))
    }

    /// The form: `GET /api/v1/workers`.
    func workers() async throws -> Response {
        let workers = try await ledger.workers()
        let list = workers.map { worker -> JSON in
            let services: [JSON] = worker.beat.services.map { .string($0) }
            return [
                "worker_id": .string(worker.beat.worker), "name": .string(worker.beat.name),
                "services": .array(services),
                "slots": .number(JSONNumber(worker.beat.slots)), "running": .number(JSONNumber(worker.beat.running)),
                "draining": .bool(worker.beat.isDraining), "beat_at": .string(worker.beatAt.rfc3339),
                "started_at": .string(worker.startedAt.rfc3339),
                "trouble": worker.beat.trouble.flatMap { try? JSON(parsing: $0) } ?? .null,
            ]
        }
        return .json(["workers": .array(list)])
    }

    private func json(of job: Job) -> JSON {
        let duration: JSON =
            job.startedAt.flatMap { start in
                job.finishedAt.map { .number(JSONNumber(Int(($0 - start).wholeMilliseconds))) }
            } ?? .null
        return [
            "id": .string(job.id.description), "service": .string(job.service), "status": .string(status(of: job)),
            "attempt": .number(JSONNumber(job.attempt)), "failures": .number(JSONNumber(job.failures)),
            "max_attempts": .number(JSONNumber(job.maxAttempts)), "worker_id": job.worker.map { .string($0) } ?? .null,
            "task_id": job.task.map { .string($0.description) } ?? .null,
            "app": job.app.map { .string($0) } ?? .null,
            "stage": job.stage.map { .number(JSONNumber($0)) } ?? .null,
            "item": job.item.map { .number(JSONNumber($0)) } ?? .null,
            "run_after": moment(job.runAfter), "deadline": moment(job.deadline), "created_at": moment(job.createdAt),
            "started_at": moment(job.startedAt), "finished_at": moment(job.finishedAt), "duration_ms": duration,
            "error": job.error?.json ?? .null,
        ]
    }

    private func status(of job: Job) -> String {
        switch job.state {
        case .waiting: "pending"
        case .running: "running"
        case .succeeded: "completed"
        case .failed, .timedOut: "failed"
        case .cancelled: "cancelled"
        }
    }

    private func moment(_ moment: Timestamp?) -> JSON { moment.map { .string($0.rfc3339) } ?? .null }
}
