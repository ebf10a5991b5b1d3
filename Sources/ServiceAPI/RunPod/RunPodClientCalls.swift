// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import HTTPTypes
import Hummingbird
import Ledger
import NIOCore
import Plumbing
import ResultStore
import Workflow

/// What clients of a RunPod endpoint call: submits, reads and controls jobs in RunPod's words.
///
/// See the RunPod contract, section 1. It keeps nothing of its own: an endpoint is a service, a job is the ledger's.
struct RunPodClientCalls: Sendable {
    let desk: JobDesk
    /// Judges the webhooks that clients name.
    let webhooks: any DestinationRules

    /// How long `runsync` and `status-sync` wait when the caller does not say.
    static let usualWait: Duration = .seconds(90)
    /// How long they may be told to wait, in milliseconds.
    static let waits = 1_000...300_000

    /// `POST /v2/{endpoint}/run`.
    func run(_ request: Request, at endpoint: String, by caller: String?) async throws -> Response {
        let job = try await submit(request, at: endpoint, by: caller, limit: RunPodSubmission.runLimit)
        let json: JSON = ["id": .string(job.id.description), "status": "IN_QUEUE"]
        return .runPod(json.bytes)
    }

    /// `POST /v2/{endpoint}/runsync`: waits for the end; a job that takes longer is shown as it is then.
    func runSync(_ request: Request, at endpoint: String, by caller: String?) async throws -> Response {
        let wait = try wait(of: request)
        let job = try await submit(request, at: endpoint, by: caller, limit: RunPodSubmission.runSyncLimit)
        return await show(try await desk.end(of: job.id, within: wait))
    }

    /// `GET /v2/{endpoint}/status/{id}`.
    func status(_ id: String, at endpoint: String) async throws -> Response {
        await show(try await find(id, at: endpoint))
    }

    /// `GET /v2/{endpoint}/status-sync/{id}`: waits for the end.
    func statusSync(_ request: Request, _ id: String, at endpoint: String) async throws -> Response {
        let wait = try wait(of: request)
        let record = try await find(id, at: endpoint)
        guard !record.job.state.isFinal else { return await show(record) }
        return await show(try await desk.end(of: record.job.id, within: wait))
    }

    /// `GET /v2/{endpoint}/stream/{id}`: the parts of the output that have come since the call before.
    func stream(_ id: String, at endpoint: String) async throws -> Response {
        let record = try await find(id, at: endpoint)
        return .runPod(await RunPodClientStream(results: desk.parts.results).next(of: record.job))
    }

    /// `POST /v2/{endpoint}/cancel/{id}`; a job that has ended stays as it is, and is shown.
    func cancel(_ id: String, at endpoint: String) async throws -> Response {
        let record = try await find(id, at: endpoint)
        guard !record.job.state.isFinal else { return await show(record) }
        do {
            return await show(try await desk.cancel(record.job.id))
        } catch let problem as Problem where problem.status == .conflict {
            // It ended in the same moment.
            return await show(try await desk.find(record.job.id))
        }
    }

    /// `POST /v2/{endpoint}/retry/{id}`: runs a job that failed or timed out once more, under its id.
    func retry(_ id: String, at endpoint: String) async throws -> Response {
        let record = try await find(id, at: endpoint)
        let state = RunPodStatus.State(of: record.job)
        guard state == .failed || state == .timedOut else {
            throw Problem(
                .badRequest,
                "the job is \(state.rawValue); only FAILED and TIMED_OUT ones can be retried",
                field: "status"
            )
        }
        return await show(try await desk.retry(record.job.id))
    }

    /// `POST /v2/{endpoint}/purge-queue`: cancels what waits for the service.
    func purge(_ endpoint: String) async throws -> Response {
        var query = JobQuery(limit: Self.purgePage)
        query.services = [try desk.choice.service(named: endpoint).name]
        query.states = [.waiting]
        var removed = 0
        while true {
            let jobs = try await desk.ledger.jobs(query)
            removed += try await desk.cancel(jobs)
            guard jobs.count == Self.purgePage, let last = jobs.last else { break }
            query.before = last.id
        }
        let json: JSON = ["removed": .number(JSONNumber(removed)), "status": "completed"]
        return .runPod(json.bytes)
    }

    private static let purgePage = 500

    // MARK: Parts

    /// Reads, checks and creates a job.
    private func submit(
        _ request: Request,
        at endpoint: String,
        by caller: String?,
        limit: Int
    ) async throws -> Job {
        let body = try await request.object(upTo: limit)
        let submission = try RunPodSubmission(reading: body)
        try await submission.checkWebhook(webhooks)
        let job = try RunPodClientJob(services: desk.choice.services, now: desk.parts.clock.now)
            .make(submission, at: endpoint)
        return try await create(job, request, by: caller)
    }

    /// Creates a job; it carries on the trace of the request.
    func create(_ job: NewJob, _ request: Request, by caller: String?) async throws -> Job {
        var job = job
        job.token = caller
        // RunPod names no user: its clients are told apart by their tokens.
        job.labels.user = job.labels.ownerService ?? caller
        job.trace = request.traceparent
        guard let created = try await desk.create([job]).first else {
            throw Problem(.internalServerError, "the job was not created")
        }
        return created.job
    }

    /// The job, when it is one of the endpoint and its time to live has not passed.
    ///
    /// One that came in an envelope is seen at every endpoint: its module chose the service, its caller did not.
    func find(_ id: String, at endpoint: String) async throws -> JobRecord {
        let isService = desk.choice.services[endpoint] != nil
        guard let parsed = MeshID(id), let record = try await desk.ledger.job(parsed) else {
            if !isService { _ = try desk.choice.service(named: endpoint) }
            throw Self.unknown(id, endpoint)
        }
        if record.job.labels?.envelope == nil {
            if !isService { _ = try desk.choice.service(named: endpoint) }
            guard record.job.service == endpoint else { throw Self.unknown(id, endpoint) }
        }
        if let timeToLive = record.job.labels?.timeToLive {
            let end = record.job.deadline ?? record.job.createdAt + timeToLive
            guard Timestamp.now < end else {
                throw Problem(.notFound, "the time to live of job '\(parsed)' has passed", field: "id")
            }
        }
        return record
    }

    /// A job's status as the answer; of one that runs, with what its handler told last.
    func show(_ record: JobRecord) async -> Response {
        var progress: [UInt8]?
        if record.job.state == .running, let lease = record.job.lease {
            // The store may be away: a status without progress is still right.
            progress = try? await desk.parts.results.get(ResultKey(.progress, record.job.id, lease: lease))
        }
        let usage = record.usage.flatMap { try? JSON(parsing: $0) }.map { JobUsage(json: $0) }
        return .runPod(RunPodStatus(record.job, result: record.result, usage: usage, progress: progress).bytes)
    }

    private func wait(of request: Request) throws(Problem) -> Duration {
        guard let text = request.uri.queryParameters["wait"] else { return Self.usualWait }
        guard let milliseconds = Int(text) else {
            throw Problem(.badRequest, "'wait' must be a whole number of milliseconds", field: "wait")
        }
        return .milliseconds(min(max(milliseconds, Self.waits.lowerBound), Self.waits.upperBound))
    }

    private static func unknown(_ id: String, _ endpoint: String) -> Problem {
        Problem(
            .notFound,
            "endpoint '\(endpoint.prefix(64))' has no job '\(id.prefix(64))'; finished ones are deleted after a while",
            field: "id"
        )
    }
}

extension Response {
    /// A success in the RunPod dialect: exactly 200, its JavaScript client takes nothing else.
    static func runPod(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }
}
