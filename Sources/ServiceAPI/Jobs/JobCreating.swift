// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import HTTPTypes
import Hummingbird
import Ledger
import Plumbing
import Workflow

/// Creates jobs: one, or many with shared defaults.
struct JobCreating: Sendable {
    let desk: JobDesk
    let settings: ServiceSettings

    /// The most jobs that one call creates.
    static let batchLimit = 10_000

    var routes: [APIRoute] {
        [
            APIRoute(
                method: .post,
                path: "/api/v1/jobs",
                tag: "jobs",
                summary: "Creates one job; the same key gives the same job.",
                parameters: [
                    .init(
                        name: "Idempotency-Key",
                        place: .header,
                        schema: JobSchemas.text(),
                        text: "As `dedup_key` in the body: unique among the jobs of an `owner_service`."
                    )
                ],
                body: JobSchemas.reference("NewJob"),
                answers: [
                    .init(status: .created, text: "The new job.", schema: JobSchemas.reference("Job")),
                    .init(status: .ok, text: "The job of the same key.", schema: JobSchemas.reference("Job")),
                ],
                handle: { request, context in try await create(request, context) }
            ),
            APIRoute(
                method: .post,
                path: "/api/v1/jobs/batch",
                tag: "jobs",
                summary: "Creates up to 10,000 jobs, all or none unless `partial` is true.",
                body: JobSchemas.batch,
                answers: [.init(status: .created, text: "One entry a job, in order.", schema: JobSchemas.batchAnswer)],
                handle: { request, context in try await createMany(request, context) }
            ),
        ]
    }

    private func create(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let key = try Self.key(of: request)
        let trace = request.traceparent
        let reader = NewJobReader(choice: desk.choice, caller: context.caller, trace: trace, key: key)
        let job = try reader.job(from: try await request.object(upTo: settings.maxBody))
        guard let created = try await desk.create([job]).first else {
            throw Problem(.internalServerError, "the job was not created")
        }
        let json: JSON
        if created.isNew {
            // As it was stored; a worker may have it already.
            json = try JobForm.json(of: JobRecord(job: created.job, input: job.input.bytes))
        } else {
            json = try JobForm.json(of: try await desk.find(created.job.id))
        }
        var response = Response.json(json, status: created.isNew ? .created : .ok)
        // The body of a repeat is not compared: this says whose answer it is.
        if !created.isNew, let replayed = HTTPField.Name("Idempotency-Replayed") { response.headers[replayed] = "true" }
        response.headers[.location] = "/api/v1/jobs/\(created.job.id)"
        return response
    }

    private func createMany(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let body = try await request.object(upTo: settings.maxBody)
        let members = try MemberReader(body, known: ["defaults", "jobs", "partial"])
        let isPartial = try members.truth("partial") ?? false
        guard let list = members["jobs"]?.array, (1...Self.batchLimit).contains(list.count) else {
            throw members.wrong("jobs", "give a list of 1 to \(Self.batchLimit) jobs")
        }
        let defaults = members["defaults"] ?? [:]
        guard let defaults = defaults.object else { throw members.wrong("defaults", "give a JSON object") }
        let reader = NewJobReader(
            choice: desk.choice,
            caller: context.caller,
            trace: request.traceparent,
            key: nil
        )
        var jobs: [(index: Int, job: NewJob)] = []
        var answers = [JSON](repeating: .null, count: list.count)
        for (index, entry) in list.enumerated() {
            do throws(Problem) {
                let job = try reader.job(from: Self.merge(defaults, entry), at: "/jobs/\(index)/")
                try desk.check(job, prefix: "/jobs/\(index)")
                jobs.append((index, job))
            } catch {
                guard isPartial else { throw error }
                answers[index] = ["error": error.json]
            }
        }
        let good = jobs
        let created = try await desk.create(
            good.map(\.job),
            prefix: { "/jobs/\(good[$0].index)" },
            lookingUp: false
        )
        for (entry, created) in zip(good, created) {
            let json: JSON = ["id": .string(created.job.id.description)]
            answers[entry.index] = created.isNew ? json : json.adding("existing", true)
        }
        return .json(["jobs": .array(answers)], status: .created)
    }

    /// What a job does not say itself, its defaults say; an entry that is no object is left for the reader to refuse.
    private static func merge(_ defaults: JSONObject, _ entry: JSON) -> JSON {
        guard let own = entry.object else { return entry }
        var merged = defaults
        for (name, value) in own.members { merged[name] = value }
        return .object(merged)
    }

    private static func key(of request: Request) throws(Problem) -> String? {
        guard let name = HTTPField.Name("Idempotency-Key"), let key = request.headers[name] else { return nil }
        guard (1...255).contains(key.count) else {
            throw Problem(.unprocessableContent, "give a key of 1 to 255 characters", field: "Idempotency-Key")
        }
        return key
    }
}
