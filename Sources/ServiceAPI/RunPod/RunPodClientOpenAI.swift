// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Hummingbird
import Ledger
import NIOCore
import Plumbing
import ServiceLifecycle
import Workflow

/// OpenAI's API in front of an endpoint: `/v2/{endpoint}/openai/v1/…`, for the clients of RunPod's vLLM workers.
///
/// A call becomes a job with `{"openai_route", "openai_input"}` as its input, as RunPod makes it; a service with the
/// `openai` engine gets the chat itself.
struct RunPodClientOpenAI: Sendable {
    let calls: RunPodClientCalls

    /// How long a call waits for its job.
    private static let patience: Duration = .seconds(600)
    private static let stops = "this server is being stopped"

    var routes: [APIRoute] {
        [
            route(.post, "chat/completions", "Completes a chat."),
            route(.post, "completions", "Completes a text."),
            route(.post, "embeddings", "Turns texts into vectors."),
            route(.get, "models", "Lists the models."),
        ]
    }

    private func route(_ method: HTTPRequest.Method, _ name: String, _ summary: String) -> APIRoute {
        APIRoute(
            method: method,
            path: "/v2/{endpoint}/openai/v1/\(name)",
            tag: "runpod",
            summary: "\(summary) OpenAI's API in front of a service; waits for the job's end.",
            parameters: [RunPodClientSchemas.endpoint],
            body: method == .post ? ["type": "object"] : nil,
            answers: [.init(status: .ok, text: "As OpenAI's API answers; with 'stream', server-sent events.")],
            limited: "runsync",
            handle: { request, context in
                let endpoint = try context.parameters.require("endpoint")
                return try await call(request, "/v1/\(name)", at: endpoint, context)
            }
        )
    }

    private func call(
        _ request: Request,
        _ route: String,
        at endpoint: String,
        _ context: ServiceContext
    ) async throws -> Response {
        let body: JSON =
            request.method == .post ? try await request.object(upTo: RunPodSubmission.runSyncLimit) : [:]
        let service = try calls.desk.choice.service(named: endpoint)
        if case .openai = service.engine, route == "/v1/models" {
            return .json(OpenAIAnswer.models(service.takes.lazy.compactMap(\.modelProfile).first ?? service.name))
        }
        let submission = try RunPodSubmission(reading: ["input": try input(body, route, service)])
        let new = try RunPodClientJob(services: [endpoint: service], now: calls.desk.parts.clock.now)
            .make(submission, at: endpoint)
        let job = try await calls.create(new, request, by: context.caller)
        let answer = OpenAIAnswer(
            id: job.id.description,
            created: Int(job.createdAt.microseconds / 1_000_000),
            model: body["model"]?.string ?? endpoint
        )
        guard body["stream"]?.bool == true else { return try await whole(job, answer, context) }
        let includesUsage = body["stream_options"]?["include_usage"]?.bool == true
        return try await stream(job, answer, OpenAIStream(answer, includesUsage: includesUsage), context)
    }

    private func input(_ body: JSON, _ route: String, _ service: ServiceDefinition) throws(Problem) -> JSON {
        guard case .openai = service.engine else {
            return ["openai_route": .string(route), "openai_input": body]
        }
        guard route == "/v1/chat/completions" else {
            throw Problem(
                .badRequest,
                "service '\(service.name)' completes chats and nothing else: call "
                    + "/v2/\(service.name)/openai/v1/chat/completions instead of \(route)"
            )
        }
        return body
    }

    private func whole(_ job: Job, _ answer: OpenAIAnswer, _ context: ServiceContext) async throws -> Response {
        let until = ContinuousClock.now + Self.patience
        let desk = calls.desk
        let record = try await context.whileConnected { try await desk.end(of: job.id, within: Self.patience) }
        guard record.job.state.isFinal else { return try await giveUp(job, until) }
        guard record.job.state == .succeeded else { return Self.failure(of: record.job) }
        let result = answer.whole(try JSON(parsing: record.result ?? [], maxDepth: 256))
        // vLLM's worker returns its errors as results.
        let code = result["object"]?.string == "error" ? result["code"]?.int ?? 400 : 200
        return .json(result, status: .init(code: (400..<600).contains(code) ? code : 200))
    }

    private static func failure(of job: Job) -> Response {
        let error = job.error ?? JobError(.internal, "the job ended as \(job.state.rawValue)")
        let status: HTTPResponse.Status =
            switch error.category {
            case .invalidInput: .badRequest
            case .timeout: .gatewayTimeout
            case .cancelled: .conflict
            default: .badGateway
            }
        return .json(OpenAIAnswer.error(error.message, type: error.category.rawValue), status: status)
    }

    private func giveUp(_ job: Job, _ until: ContinuousClock.Instant) async throws -> Response {
        guard ContinuousClock.now >= until else {
            throw Problem(.serviceUnavailable, "\(Self.stops); job '\(job.id)' goes on", retryAfter: 1)
        }
        try await calls.desk.cancel([job])
        let words = "the job took longer than \(Quantity.text(Self.patience)); it was cancelled"
        return .json(OpenAIAnswer.error(words, type: "timeout"), status: .gatewayTimeout)
    }

    // MARK: Streams

    private func stream(
        _ job: Job,
        _ answer: OpenAIAnswer,
        _ unbegun: OpenAIStream,
        _ context: ServiceContext
    ) async throws -> Response {
        let until = ContinuousClock.now + Self.patience
        // The first part, or the end, decides about the status.
        let (begun, first) = try await Self.next(RunPodClientParts(desk: calls.desk, job: job.id), context)
        if first.parts.isEmpty {
            guard let end = first.end else { return try await giveUp(job, until) }
            guard end.job.state == .succeeded else { return Self.failure(of: end.job) }
        }
        let body = ResponseBody { writer in
            var reader = begun
            var turn = first
            var stream = unbegun
            while true {
                for part in turn.parts {
                    guard let json = try? JSON(parsing: part, maxDepth: 256) else { continue }
                    try await writer.write(ByteBuffer(bytes: stream.events(json)))
                }
                if let end = turn.end {
                    try await writer.write(ByteBuffer(bytes: try Self.rest(end, answer, &stream)))
                    break
                }
                (reader, turn) = try await Self.next(reader, context)
                if turn.parts.isEmpty, turn.end == nil {
                    let words = Task.isShuttingDownGracefully ? Self.stops : "the job tells nothing any more"
                    let error = JobError(.internal, "\(words); job '\(job.id)' goes on")
                    try await writer.write(ByteBuffer(bytes: answer.failure(error)))
                    break
                }
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache"],
            body: body
        )
    }

    /// What comes next, as long as there is somebody to tell it to.
    private static func next(
        _ reader: RunPodClientParts,
        _ context: ServiceContext
    ) async throws -> (RunPodClientParts, RunPodClientParts.Turn) {
        try await context.whileConnected {
            var reader = reader
            let turn = try await reader.next(within: patience)
            return (reader, turn)
        }
    }

    /// What comes after the last part: the result of a handler that yielded nothing, or why it failed.
    private static func rest(
        _ end: JobRecord,
        _ answer: OpenAIAnswer,
        _ stream: inout OpenAIStream
    ) throws -> [UInt8] {
        guard end.job.state == .succeeded else {
            return answer.failure(end.job.error ?? JobError(.internal, "it ended as \(end.job.state.rawValue)"))
        }
        return stream.end(try end.result.map { try JSON(parsing: $0, maxDepth: 256) })
    }
}
