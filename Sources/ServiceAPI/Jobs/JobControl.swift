// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import Workflow

/// Cancels and retries jobs, one or all that filters match.
struct JobControl: Sendable {
    let desk: JobDesk
    let settings: ServiceSettings

    private static let page = 500

    private enum Action: String {
        case cancel, retry

        /// The states that it looks at when no status is named.
        var states: [JobState] { self == .cancel ? [.waiting, .running] : [.running, .failed, .timedOut] }
    }

    var routes: [APIRoute] {
        [
            APIRoute(
                method: .post,
                path: "/api/v1/jobs/cancel",
                tag: "jobs",
                summary: "Cancels the pending and running jobs that the filters match; at least one filter.",
                parameters: JobParameters.filters,
                body: JobSchemas.filters,
                isBodyRequired: false,
                answers: [.init(status: .ok, text: "How many there were.", schema: JobSchemas.counts)],
                handle: { request, _ in try await many(.cancel, request) }
            ),
            APIRoute(
                method: .post,
                path: "/api/v1/jobs/retry",
                tag: "jobs",
                summary: "Runs the failed and running jobs again that the filters match; at least one filter.",
                parameters: JobParameters.filters,
                body: JobSchemas.filters,
                isBodyRequired: false,
                answers: [.init(status: .ok, text: "How many there were.", schema: JobSchemas.counts)],
                handle: { request, _ in try await many(.retry, request) }
            ),
            APIRoute(
                method: .post,
                path: "/api/v1/jobs/{id}/cancel",
                tag: "jobs",
                summary: "Cancels a job; who holds it hears of it with the next heartbeat.",
                parameters: [JobParameters.id],
                answers: [.init(status: .ok, text: "The job.", schema: JobSchemas.reference("Job"))],
                handle: { _, context in
                    let id = try await desk.find(try context.parameters.require("id")).job.id
                    return .json(try JobForm.json(of: try await desk.cancel(id)))
                }
            ),
            APIRoute(
                method: .post,
                path: "/api/v1/jobs/{id}/retry",
                tag: "jobs",
                summary: "Runs a failed or running job again, and at once one that waits for its next attempt.",
                parameters: [JobParameters.id],
                answers: [.init(status: .ok, text: "The job.", schema: JobSchemas.reference("Job"))],
                handle: { _, context in
                    let id = try await desk.find(try context.parameters.require("id")).job.id
                    return .json(try JobForm.json(of: try await desk.retry(id)))
                }
            ),
        ]
    }

    private func many(_ action: Action, _ request: Request) async throws -> Response {
        var query = try await filter(of: request, action)
        if query.states == nil { query.states = action.states }
        var (matched, changed) = (0, 0)
        while true {
            let jobs = try await desk.ledger.jobs(query)
            matched += jobs.count
            changed += action == .cancel ? try await desk.cancel(jobs) : try await desk.retry(jobs)
            guard jobs.count == query.limit, let last = jobs.last else { break }
            query.before = last.id
        }
        return .json(["matched": .number(JSONNumber(matched)), "changed": .number(JSONNumber(changed))])
    }

    /// The filters, from the body or from the query.
    private func filter(of request: Request, _ action: Action) async throws(Problem) -> JobQuery {
        let body = try await request.json(upTo: settings.maxBody)
        let query = try MemberReader(query: request.uri.queryParameters, known: JobFilter.names)
        let own = try body.map { json throws(Problem) in try MemberReader(json, known: JobFilter.names) } ?? query
        let members = own.names.isEmpty ? query : own
        // An empty body with everything meant is one slip of the hand away from an empty queue.
        guard !members.names.isEmpty else {
            throw Problem(
                .unprocessableContent,
                "name at least one filter of the jobs to \(action.rawValue): " + JobFilter.names.joined(separator: ", ")
            )
        }
        if body != nil, !own.names.isEmpty, !query.names.isEmpty {
            throw Problem(.unprocessableContent, "give the filters in the body or in the query, not in both")
        }
        return try JobFilter(members, limit: Self.page).query
    }
}
