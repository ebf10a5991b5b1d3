// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import Plumbing
import ResultStore
import Workflow

/// Shows jobs: one with its payloads, many without.
struct JobReading: Sendable {
    let desk: JobDesk

    private static let paging = ["limit", "cursor"]

    var routes: [APIRoute] {
        [
            APIRoute(
                method: .get,
                path: "/api/v1/jobs",
                tag: "jobs",
                summary: "Lists jobs, newest first and stable under inserts; without input, result and usage.",
                parameters: JobParameters.filters + [
                    .init(name: "limit", schema: JobSchemas.whole(1, 500), text: "The most jobs to show; 50."),
                    .init(name: "cursor", schema: JobSchemas.uuid, text: "The `next_cursor` of the page before."),
                ],
                answers: [.init(status: .ok, text: "A page of jobs.", schema: JobSchemas.page)],
                handle: { request, _ in try await list(request.uri.queryParameters) }
            ),
            APIRoute(
                method: .get,
                path: "/api/v1/jobs/{id}",
                tag: "jobs",
                summary: "Shows one job with its input, result and, while it runs, its progress.",
                parameters: [JobParameters.id],
                answers: [.init(status: .ok, text: "The job.", schema: JobSchemas.reference("Job"))],
                handle: { _, context in
                    let record = try await desk.find(try context.parameters.require("id"))
                    return .json(try await show(record))
                }
            ),
        ]
    }

    private func list(_ query: Parameters) async throws -> Response {
        // A filter that is passed over would show jobs that nobody asked for.
        let members = try MemberReader(query: query, known: JobFilter.names + Self.paging)
        let limit = try members.whole("limit", in: 1...500) ?? 50
        var filter = try JobFilter(members, limit: limit).query
        filter.before = try members.id("cursor")
        let jobs = try await desk.ledger.jobs(filter)
        let next = jobs.count == limit ? jobs.last.map { JSON.string($0.id.description) } : nil
        return .json(["jobs": .array(jobs.map { JobForm.json(of: $0) }), "next_cursor": next ?? .null])
    }

    /// A job as `GET /jobs/{id}` shows it.
    func show(_ record: JobRecord) async throws -> JSON {
        try JobForm.json(of: record, progress: await progress(of: record.job))
    }

    private func progress(of job: Job) async -> [UInt8]? {
        guard job.state == .running, let lease = job.lease else { return nil }
        do {
            return try await desk.parts.results.get(ResultKey(.progress, job.id, lease: lease))
        } catch {
            // The store is away: the job is shown without its progress.
            return nil
        }
    }
}
