// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import Plumbing
import ResultStore
import Workflow

/// What workers elsewhere do: claim jobs, keep them, complete or fail them.
struct JobClaiming: Sendable {
    private let desk: JobDesk
    private let settings: ServiceSettings
    private let tally: WorkerTally

    init(desk: JobDesk, settings: ServiceSettings) {
        self.desk = desk
        self.settings = settings
        tally = WorkerTally(presence: desk.presence)
    }

    /// The longest lease in seconds.
    private static let leases = 1.0...86_400

    var routes: [APIRoute] {
        [
            APIRoute(
                method: .post,
                path: "/api/v1/jobs/claim",
                tag: "workers",
                summary: "Claims due jobs for a worker, never one attempt for two; may be held open for them.",
                body: JobSchemas.claim,
                answers: [.init(status: .ok, text: "The jobs, maybe none.", schema: JobSchemas.claimed)],
                handle: { request, context in try await claim(request, context) }
            ),
            APIRoute(
                method: .post,
                path: "/api/v1/jobs/{id}/heartbeat",
                tag: "workers",
                summary: "Makes a lease last longer, tells progress, and hears whether to stop.",
                parameters: [JobParameters.id],
                body: JobSchemas.heartbeat,
                answers: [.init(status: .ok, text: "The new lease.", schema: JobSchemas.lease)],
                handle: { request, context in
                    try await heartbeat(try context.parameters.require("id"), request)
                }
            ),
            APIRoute(
                method: .post,
                path: "/api/v1/jobs/{id}/complete",
                tag: "workers",
                summary: "Stores a result; the same call twice is one completion.",
                parameters: [JobParameters.id],
                body: JobSchemas.completion,
                answers: [.init(status: .ok, text: "The job.", schema: JobSchemas.reference("Job"))],
                handle: { request, context in
                    try await complete(try context.parameters.require("id"), request)
                }
            ),
            APIRoute(
                method: .post,
                path: "/api/v1/jobs/{id}/fail",
                tag: "workers",
                summary: "Stores a failure; the job is tried again where its attempts allow it.",
                parameters: [JobParameters.id],
                body: JobSchemas.failure,
                answers: [.init(status: .ok, text: "The job.", schema: JobSchemas.reference("Job"))],
                handle: { request, context in try await fail(try context.parameters.require("id"), request) }
            ),
        ]
    }

    private func claim(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let members = try MemberReader(
            try await request.object(upTo: settings.maxBody),
            known: ["worker_id", "task_types", "model_profiles", "limit", "lease_seconds", "wait_seconds"]
        )
        let worker = try members.needed("worker_id", limit: 200)
        let types = try members.texts("task_types").map { JobFilter.bothForms(of: $0) }
        let profiles = try members.texts("model_profiles")
        let limit = try members.whole("limit", in: 1...100) ?? 1
        let lease = try members.seconds("lease_seconds", in: Self.leases)
        let wait = try members.seconds("wait_seconds", in: 0...30) ?? .zero
        let services = desk.choice.services(taskTypes: types ?? [], modelProfiles: profiles ?? []).map(\.name)
        guard !services.isEmpty else {
            let known = desk.choice.offer
            throw members.wrong(
                types == nil ? "model_profiles" : "task_types",
                "no service takes these with these model_profiles; there are: \(known)"
            )
        }
        let claim: @Sendable () async throws -> [JobRecord] = {
            try await desk.claim(
                services: services,
                taskTypes: types,
                modelProfiles: profiles,
                worker: worker,
                limit: limit,
                lease: lease,
                wait: wait
            )
        }
        // Also before it waits: whoever else has jobs is to know that somebody does.
        tally.claimed(worker, services: services, slots: limit, jobs: [], for: .zero)
        let records = wait > .zero ? try await context.whileConnected(claim) : try await claim()
        let taken = records.map(\.job)
        tally.claimed(worker, services: services, slots: limit, jobs: taken, for: lease ?? desk.leaseDuration)
        let delivery = AnswerDelivery(records, desk: desk)
        let jobs = try records.map { record in
            let json = try JobForm.json(of: record)
            // For the one who runs it alone; nobody else is shown these keys.
            return record.job.labels?.storage.map { json.adding("s3_config", $0) } ?? json
        }
        return .delivering((["jobs": .array(jobs)] as JSON).bytes, delivery)
    }

    private func heartbeat(_ id: String, _ request: Request) async throws -> Response {
        let members = try MemberReader(
            try await request.object(upTo: settings.maxBody),
            known: ["worker_id", "lease_id", "progress", "lease_seconds"]
        )
        let holder = try Self.holder(members)
        let duration = try members.seconds("lease_seconds", in: Self.leases)
        let record = try await desk.find(id)
        // Also a job that was cancelled meanwhile: its holder is to hear that.
        guard holder.held(record.job), let lease = record.job.lease else { throw desk.lost(record.job, holder) }
        let probe = LeaseProbe(job: record.job.id, lease: lease)
        let standing = try await desk.renew([probe], for: duration).first
        guard standing == .held || standing == .stopped else {
            throw desk.lost(try await desk.find(record.job.id).job, holder)
        }
        if standing == .held, let progress = members["progress"] { tell(progress.bytes, of: probe) }
        let job = try await desk.find(record.job.id).job
        if standing == .held { tally.renewed(holder.worker, job, for: duration ?? desk.leaseDuration) }
        return .json([
            "lease_id": .string(lease.description), "lease_expires_at": JobForm.moment(job.leaseUntil),
            "cancel": .bool(standing == .stopped),
        ])
    }

    private func tell(_ progress: [UInt8], of probe: LeaseProbe) {
        let results = desk.parts.results
        let timeToLive = settings.resultTimeToLive
        results.put([(ResultKey(.progress, probe.job, lease: probe.lease), progress)], timeToLive: timeToLive)
        results.append(
            HandlerEvent(.progress, progress).bytes,
            to: ResultKey(.events, probe.job, lease: probe.lease),
            timeToLive: timeToLive
        )
    }

    private func complete(_ id: String, _ request: Request) async throws -> Response {
        // A result may have 16 MiB, whatever a request may have otherwise.
        let limit = max(settings.maxBody, Completion.maxResultSize + 64 * 1024)
        let members = try MemberReader(
            try await request.object(upTo: limit),
            known: ["worker_id", "lease_id", "result", "usage"]
        )
        let holder = try Self.holder(members)
        guard members.has("result") else { throw members.wrong("result", "it is missing; give any JSON, be it null") }
        let usage = try members["usage"].map { json throws(Problem) in try Self.usage(json) }
        let job = try await desk.find(id).job.id
        let record = try await desk.complete(job, by: holder, result: members["result"] ?? .null, usage: usage)
        tally.ended(holder.worker, record.job)
        return .json(try JobForm.json(of: record))
    }

    private func fail(_ id: String, _ request: Request) async throws -> Response {
        let members = try MemberReader(
            try await request.object(upTo: settings.maxBody),
            known: ["worker_id", "lease_id", "category", "message", "retry"]
        )
        let holder = try Self.holder(members)
        guard let category = try members.text("category").flatMap({ JobError.Category(rawValue: $0) }) else {
            let known = JobError.Category.allCases.map(\.rawValue).joined(separator: ", ")
            throw members.wrong("category", "give one of \(known)")
        }
        guard let message = members["message"]?.string else {
            throw members.wrong("message", "say in a text what went wrong")
        }
        let isFinal = try members.truth("retry").map { !$0 }
        let job = try await desk.find(id).job.id
        let error = JobError(category, String(message.prefix(10_000)), isFinal: isFinal)
        let record = try await desk.fail(job, by: holder, error)
        tally.ended(holder.worker, record.job)
        return .json(try JobForm.json(of: record))
    }

    private static func holder(_ members: MemberReader) throws(Problem) -> JobHolder {
        JobHolder(worker: try members.needed("worker_id", limit: 200), lease: try members.id("lease_id"))
    }

    private static func usage(_ json: JSON) throws(Problem) -> JobUsage {
        let members = try MemberReader(
            json,
            at: "/usage/",
            known: ["gpu_ms", "cost_usd", "prompt_tokens", "completion_tokens"]
        )
        let cost = members["cost_usd"]
        if let cost, (cost.double ?? -1) < 0 {
            throw members.wrong("cost_usd", "give a number of US dollars, 0 or more")
        }
        return JobUsage(
            gpuMilliseconds: try members.whole("gpu_ms", in: 0...(1 << 50)),
            costUSD: cost?.double,
            promptTokens: try members.whole("prompt_tokens", in: 0...(1 << 50)),
            completionTokens: try members.whole("completion_tokens", in: 0...(1 << 50))
        )
    }
}
