// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import HTTPTypes
import Hummingbird
import Workflow

/// The calls of RunPod's clients under `/v2/{endpoint}/…`; an endpoint is a service's name.
///
/// See the RunPod contract, section 1, and docs/runpod.md.
struct RunPodClientRoutes: Sendable {
    private let calls: RunPodClientCalls
    private let health: RunPodClientHealth
    private let openAI: RunPodClientOpenAI

    /// Makes the routes.
    ///
    /// - Parameter webhooks: judges the webhooks that clients name; a call that is sent is judged once more.
    init(desk: JobDesk, settings: ServiceSettings, webhooks: any DestinationRules) {
        calls = RunPodClientCalls(desk: desk, webhooks: webhooks)
        health = RunPodClientHealth(desk: desk)
        openAI = RunPodClientOpenAI(calls: calls)
    }

    /// The calls.
    var routes: [APIRoute] { submitting + reading + controlling + openAI.routes }

    private var submitting: [APIRoute] {
        [
            route(
                .post,
                "run",
                "Submits a job; answers at once with its id.",
                body: RunPodClientSchemas.submission,
                limited: "run"
            ) { request, context, endpoint in
                try await calls.run(request, at: endpoint, by: context.caller)
            },
            route(
                .post,
                "runsync",
                "Submits a job and waits for its end; one that takes longer than 'wait' is shown as it is then.",
                parameters: [RunPodClientSchemas.wait],
                body: RunPodClientSchemas.submission,
                limited: "runsync"
            ) { request, context, endpoint in
                try await calls.runSync(request, at: endpoint, by: context.caller)
            },
        ]
    }

    private var reading: [APIRoute] {
        [
            jobRoute(
                .get,
                "status",
                "Shows a job.",
                parameters: [RunPodClientSchemas.timeToLive],
                limited: "status"
            ) { _, id, endpoint in
                try await calls.status(id, at: endpoint)
            },
            jobRoute(
                .get,
                "status-sync",
                "Waits for the end of a job and shows it; one that takes longer than 'wait' is shown as it is then.",
                parameters: [RunPodClientSchemas.wait],
                limited: "status"
            ) { request, id, endpoint in
                try await calls.statusSync(request, id, at: endpoint)
            },
            jobRoute(
                .get,
                "stream",
                "Shows the parts of a job's output that have come since the call before.",
                answer: RunPodClientSchemas.stream,
                limited: "stream"
            ) { _, id, endpoint in
                try await calls.stream(id, at: endpoint)
            },
            route(
                .get,
                "health",
                "How many jobs wait and run, how many have ended within the last hour, and what the workers do.",
                answer: RunPodClientSchemas.health
            ) { _, _, endpoint in
                try await health.health(of: endpoint)
            },
        ]
    }

    private var controlling: [APIRoute] {
        [
            jobRoute(.post, "cancel", "Cancels a job; one that has ended stays as it is.", limited: "cancel") {
                try await calls.cancel($1, at: $2)
            },
            jobRoute(.post, "retry", "Runs a job once more that failed or timed out, under the same id.") {
                try await calls.retry($1, at: $2)
            },
            route(
                .post,
                "purge-queue",
                "Cancels every job that waits for the service.",
                answer: RunPodClientSchemas.purge,
                limited: "purge-queue"
            ) { _, _, endpoint in
                try await calls.purge(endpoint)
            },
        ]
    }

    private typealias Call = @Sendable (Request, ServiceContext, String) async throws -> Response

    private func route(
        _ method: HTTPRequest.Method,
        _ name: String,
        _ summary: String,
        parameters: [APIRoute.Parameter] = [],
        body: JSON? = nil,
        answer: JSON = RunPodClientSchemas.status,
        limited: String? = nil,
        _ call: @escaping Call
    ) -> APIRoute {
        APIRoute(
            method: method,
            path: "/v2/{endpoint}/\(name)",
            tag: "runpod",
            summary: summary,
            parameters: [RunPodClientSchemas.endpoint] + parameters,
            body: body,
            answers: [.init(status: .ok, text: "Done.", schema: answer)] + RunPodClientSchemas.refusals(body != nil),
            limited: limited,
            handle: { request, context in
                try await call(request, context, try context.parameters.require("endpoint"))
            }
        )
    }

    private func jobRoute(
        _ method: HTTPRequest.Method,
        _ name: String,
        _ summary: String,
        parameters: [APIRoute.Parameter] = [],
        answer: JSON = RunPodClientSchemas.status,
        limited: String? = nil,
        _ call: @escaping @Sendable (Request, _ id: String, _ endpoint: String) async throws -> Response
    ) -> APIRoute {
        route(
            method,
            "\(name)/{id}",
            summary,
            parameters: [RunPodClientSchemas.id] + parameters,
            answer: answer,
            limited: limited
        ) { request, context, endpoint in
            try await call(request, try context.parameters.require("id"), endpoint)
        }
    }
}
