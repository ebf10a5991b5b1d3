// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Hummingbird
import Workflow

/// The calls of unmodified RunPod workers, and one of ours (`drain`), by path.
struct RunPodWorkerRoutes: Sendable {
    private let calls: RunPodWorkerCalls

    /// Makes the routes; they share what is known of the workers, so one process has one of these.
    init(
        desk: JobDesk,
        settings: ServiceSettings,
        presence: RemotePresence,
        timing: RunPodWorkerTiming? = nil
    ) {
        calls = RunPodWorkerCalls(
            desk: desk,
            table: RunPodWorkerTable(
                timing: timing ?? RunPodWorkerTiming(forLease: settings.runPodLease),
                presence: presence
            ),
            resultTimeToLive: settings.resultTimeToLive
        )
    }

    /// Hears of leases that were cancelled: workers are told at once.
    ///
    /// Without it they are told within a second.
    func cancelled(_ leases: [LeaseID]) { calls.table.cancelled(leases) }

    /// All calls.
    var routes: [APIRoute] {
        let calls = calls
        return [
            route(.get, "job-take", "Waits for a job.", taking(asList: false)) { request, context, key in
                try await calls.take(request, context, key, asList: false)
            },
            route(.get, "job-take-batch", "Waits for up to `batch_size` jobs.", taking(asList: true)) {
                try await calls.take($0, $1, $2, asList: true)
            },
            route(.get, "job-stop", "Waits for jobs to stop.", Self.stopping) { try await calls.stops($0, $1, $2) },
            route(.get, "ping", "Says that a worker lives.", Self.plain, Self.pinging) { request, _, key in
                try await calls.ping(request, key)
            },
            route(.post, "drain", "Gives a worker no more jobs; to be called before it is sent SIGTERM.", Self.draining)
            { _, _, key in try calls.drain(key) },
            route(.post, "job-done", "Hands in a result, or progress.", Self.plain, [Self.job], body: Self.result) {
                try await calls.done($0, $1, $2, Self.name(try $1.parameters.require("job")))
            },
            route(.post, "job-stream", "Hands in a part of the output.", Self.plain, [Self.job], body: Self.result) {
                try await calls.stream($0, $1, $2, Self.name(try $1.parameters.require("job")))
            },
        ]
    }

    private func route(
        _ method: HTTPRequest.Method,
        _ call: String,
        _ summary: String,
        _ answers: [APIRoute.Answer],
        _ parameters: [APIRoute.Parameter] = [],
        body: JSON? = nil,
        _ handle: @escaping @Sendable (Request, ServiceContext, RunPodWorkerCalls.Key) async throws -> Response
    ) -> APIRoute {
        let tail = parameters.contains { $0.place == .path } ? "/{job}" : ""
        return APIRoute(
            method: method,
            path: "/v2/{endpoint}/\(call)/{worker}\(tail)",
            tag: "runpod",
            summary: summary,
            parameters: Self.names + parameters,
            body: body,
            isBodyRequired: false,
            answers: answers,
            isWorkerCall: true
        ) { request, context in
            let key = RunPodWorkerCalls.Key(
                endpoint: try context.parameters.require("endpoint"),
                worker: Self.name(try context.parameters.require("worker"))
            )
            return try await handle(request, context, key)
        }
    }

    /// A name of the path, without what the package adds behind a `&` where its address has no `?`.
    private static func name(_ part: String) -> String { String(part.prefix { $0 != "&" }) }

    // MARK: Descriptions

    private static let names: [APIRoute.Parameter] = [
        .init(name: "endpoint", place: .path, text: "The service.", isRequired: true),
        .init(name: "worker", place: .path, text: "The worker's id; no two workers share one.", isRequired: true),
    ]
    private static let job = APIRoute.Parameter(name: "job", place: .path, text: "The job's id.", isRequired: true)
    private static let pinging: [APIRoute.Parameter] = [
        .init(name: "job_id", text: "The jobs that it runs, separated by commas."),
        .init(name: "status", text: "`unhealthy` when a check at its start failed."),
        .init(name: "check", text: "Which check failed."),
        .init(name: "reason", text: "Why it failed."),
    ]
    private static let result: JSON = [
        "type": "object",
        "properties": [
            "output": [:], "error": [:], "stopPod": ["type": "boolean"], "status": ["type": "string"],
        ],
    ]
    private static let plain: [APIRoute.Answer] = [.init(status: .ok, text: "Taken in.", schema: ["type": "object"])]
    private static let draining: [APIRoute.Answer] = [
        .init(
            status: .ok,
            text: "It gets no more jobs; `running` tells how many it has still.",
            schema: [
                "type": "object",
                "properties": [
                    "worker": ["type": "string"], "draining": ["type": "boolean"], "running": ["type": "integer"],
                ],
            ]
        ),
        .init(status: .notFound, text: "This API knows no such worker."),
    ]
    private static let stopping: [APIRoute.Answer] = [
        .init(
            status: .ok,
            text: "These jobs are not the worker's own any more.",
            schema: [
                "type": "object",
                "properties": ["jobsToStop": ["type": "array", "items": ["type": "string"]]],
            ]
        ),
        .init(status: .noContent, text: "None for now: ask again."),
    ]

    private func taking(asList: Bool) -> [APIRoute.Answer] {
        let job: JSON = [
            "type": "object", "required": ["id", "input"],
            "properties": ["id": ["type": "string"], "input": [:], "s3Config": [:]],
        ]
        return [
            .init(
                status: .ok,
                text: asList ? "Jobs." : "A job.",
                schema: asList ? ["type": "array", "items": job] : job
            ),
            .init(status: .noContent, text: "None for now: ask again."),
            .init(status: .tooManyRequests, text: "This worker gets none: ask again in 5 s."),
        ]
    }
}
