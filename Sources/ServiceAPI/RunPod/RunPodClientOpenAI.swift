// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Hummingbird
import Ledger
import NIOCore
import Plumbing
import Workflow

/// OpenAI's API in front of an endpoint: `/v2/{endpoint}/openai/v1/…`, for the clients of RunPod's vLLM workers.
///
/// A call becomes a job with `{"openai_route", "openai_input"}` as its input, as RunPod makes it; a service with the
/// `openai` engine gets the chat itself.
struct RunPodClientOpenAI: Sendable {
    let calls: RunPodClientCalls

    /// How long a call waits for its job.
    private static let patience: Duration = .seconds(600)

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
                return try await call(request, "/v1/\(name)", at: endpoint, by: context.caller)
            }
        )
    }

    private func call(
        _ request: Request,
        _ route: String,
        at endpoint: String,
        by caller: String?
    ) async throws -> Response {
        let body: JSON =
            request.method == .post ? try await request.object(upTo: RunPodSubmission.runSyncLimit) : [:]
        let service = try calls.desk.choice.service(named: endpoint)
        let submission = try RunPodSubmission(reading: ["input": try input(body, route, service)])
        let new = try RunPodClientJob(services: [endpoint: service]).make(submission, at: endpoint)
        let job = try await calls.create(new, request, by: caller)
        let answer = OpenAIAnswer(
            id: job.id.description,
            created: Int(job.createdAt.microseconds / 1_000_000),
            model: body["model"]?.string ?? endpoint
        )
        guard body["stream"]?.bool == true else { return try await whole(job, answer) }
        return try await stream(job, answer)
    }

    private func input(_ body: JSON, _ route: String, _ service: ServiceDefinition) throws(Problem) -> JSON {
        guard case .openai = service.engine else {
            return ["openai_route": .string(route), "openai_input": body]
        }
        guard route == "/v1/chat/completions" else {
            throw Problem(.badRequest, "service '\(service.name)' completes chats: call chat/completions")
        }
        return body
    }

    private func whole(_ job: Job, _ answer: OpenAIAnswer) async throws -> Response {
        let record = try await calls.desk.end(of: job.id, within: Self.patience)
        guard record.job.state.isFinal else { return try await giveUp(job) }
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

    private func giveUp(_ job: Job) async throws -> Response {
        try await calls.desk.cancel([job])
        let words = "the job took longer than \(Quantity.text(Self.patience)); it was cancelled"
        return .json(OpenAIAnswer.error(words, type: "timeout"), status: .gatewayTimeout)
    }

    // MARK: Streams

    private func stream(_ job: Job, _ answer: OpenAIAnswer) async throws -> Response {
        var reader = RunPodClientParts(desk: calls.desk, job: job.id)
        // The first part, or the end, decides about the status.
        let first = try await reader.next(within: Self.patience)
        if first.parts.isEmpty {
            guard let end = first.end else { return try await giveUp(job) }
            guard end.job.state == .succeeded else { return Self.failure(of: end.job) }
        }
        let begun = reader
        let body = ResponseBody { writer in
            var reader = begun
            var turn = first
            var hasParts = false
            while true {
                hasParts = hasParts || !turn.parts.isEmpty
                for part in turn.parts {
                    guard let json = try? JSON(parsing: part, maxDepth: 256) else { continue }
                    try await writer.write(ByteBuffer(bytes: answer.events(json)))
                }
                if let end = turn.end {
                    try await writer.write(ByteBuffer(bytes: try Self.rest(end, answer, hasParts: hasParts)))
                    break
                }
                turn = try await reader.next(within: Self.patience)
                // It tells nothing for so long that nobody listens any more.
                if turn.parts.isEmpty, turn.end == nil { break }
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache"],
            body: body
        )
    }

    /// What comes after the last part: the result of a handler that yielded nothing, or why it failed.
    private static func rest(_ end: JobRecord, _ answer: OpenAIAnswer, hasParts: Bool) throws -> [UInt8] {
        guard end.job.state == .succeeded else {
            return answer.failure(end.job.error ?? JobError(.internal, "it ended as \(end.job.state.rawValue)"))
        }
        guard !hasParts, let result = end.result else { return OpenAIAnswer.end }
        return answer.events(try JSON(parsing: result, maxDepth: 256)) + OpenAIAnswer.end
    }
}
