// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Hummingbird
import Logging
import MediaStore
import NIOCore
import Plumbing
import Workflow

/// Answers what processes call: the RunPod worker protocol, the exchange, media.
struct HandlerResponder: HTTPResponder {
    typealias Context = HandlerRequestContext

    let feed: JobFeed
    let media: any MediaStore
    let settings: ProcessEngineSettings
    let logger: Logger

    func respond(to request: Request, context: HandlerRequestContext) async throws -> Response {
        guard let route = HandlerRoute(path: request.uri.path, query: request.uri.query) else {
            return .problem(.notFound, "there is no such call")
        }
        if let refusal = refusal(route, request) { return refusal }
        switch (route.call, request.method) {
        case (.take(let process), .get):
            return await take(process, max: 1, asList: false, route, request, context)
        case (.takeBatch(let process), .get):
            let max = route.query["batch_size"].flatMap { Int($0) } ?? 1
            return await take(process, max: max, asList: true, route, request, context)
        case (.awaitStops(let process), .get):
            let hold = settings.pollHold
            let ids = await feed.awaitStops(process, wait: hold, connection: context.connection)
            guard !ids.isEmpty else { return Response(status: .noContent) }
            let list = JSON.array(ids.map { .string($0) })
            return .json(JSON.object(JSONObject([("jobsToStop", list)])).bytes)
        case (.done(let process, let job), .post):
            // A result is never refused: the RunPod package would drop it without a word.
            if let body = try await body(of: request) {
                settle(process, job, body)
            } else {
                feed.finish(job, lease: nil, from: process, HandlerResult(tooLarge: settings.bodyLimit))
            }
            return .json(Array("{}".utf8))
        case (.stream(let process, let job), .post):
            guard let body = try await body(of: request) else {
                return .problem(.contentTooLarge, "a chunk has at most \(settings.bodyLimit) bytes")
            }
            if let chunk = parse(body) { feed.partial(job, from: process, (chunk["output"] ?? .null).bytes) }
            return .json(Array("{}".utf8))
        case (.ping, .get): return .json(Array("{}".utf8))
        case (.exchange(let process), .post):
            let exchange = HandlerExchange(feed: feed, process: process, settings: settings)
            return await exchange.answer(
                try await body(of: request),
                route,
                connection: context.connection,
                logger: logger
            )
        case (.media, .get):
            let loop = context.channel.eventLoop
            return await MediaCalls(media: media, settings: settings).read(route) { try await loop.submit {}.get() }
        case (.media, .post): return await MediaCalls(media: media, settings: settings).write(route, request)
        default: return .problem(.methodNotAllowed, "this call has another method")
        }
    }

    /// Who calls is known by its token, with or without `Bearer`.
    private func refusal(_ route: HandlerRoute, _ request: Request) -> Response? {
        var given = Array((request.headers[.authorization] ?? "").utf8)
        if given.starts(with: Array("Bearer ".utf8)) { given.removeFirst(7) }
        guard let process = route.process else {
            return feed.accepts(given) ? nil : .problem(.unauthorized, "wrong token")
        }
        switch feed.accepts(given, of: process) {
        case true?: return nil
        case false?: return .problem(.unauthorized, "wrong token")
        case nil:
            // A child that outlived its process. A result is never refused, and only 429 makes a poll slow down.
            if case .done = route.call { return .json(Array("{}".utf8)) }
            var response = Response.problem(.tooManyRequests, "this process has ended")
            response.headers[.retryAfter] = "5"
            return response
        }
    }

    private func take(
        _ process: String,
        max: Int,
        asList: Bool,
        _ route: HandlerRoute,
        _ request: Request,
        _ context: HandlerRequestContext
    ) async -> Response {
        // Only the RunPod package tells the truth here: it hands a result in before it counts the job as over.
        if route.query["job_in_progress"] == "0", request.headers[.userAgent]?.hasPrefix("RunPod") == true {
            feed.reportIdle(process)
        }
        let gifts = await feed.take(
            process,
            max: Swift.max(1, max),
            wait: settings.pollHold,
            connection: context.connection
        )
        guard let first = gifts.first else { return Response(status: .noContent) }
        let bytes = asList ? Self.list(gifts) : first.body
        return .jobs(bytes, FeedDelivery(gifts, feed: feed))
    }

    private func settle(_ process: String, _ job: String, _ body: [UInt8]) {
        do {
            let result = try JSON(parsing: body)
            if let progress = RunPodResult.progress(in: result) {
                feed.progress(job, lease: nil, from: process, progress.bytes)
            } else {
                feed.finish(job, lease: nil, from: process, HandlerResult(result))
            }
        } catch {
            feed.finish(job, lease: nil, from: process, HandlerResult(unreadable: error.message))
        }
    }

    /// The RunPod package sends JSON as `application/x-www-form-urlencoded`, so no content type is looked at.
    ///
    /// - Returns: nil when there is too much of it.
    private func body(of request: Request) async throws -> [UInt8]? {
        do {
            let buffer = try await request.body.collect(upTo: settings.bodyLimit)
            return Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError {
            logger.warning("a handler's call is too large", metadata: [LogKey.count: "\(settings.bodyLimit)"])
            return nil
        }
    }

    private func parse(_ body: [UInt8]) -> JSON? {
        do {
            return try JSON(parsing: body)
        } catch {
            logger.debug("a handler's chunk is not JSON", metadata: [LogKey.error: "\(error.message)"])
            return nil
        }
    }

    /// Jobs as a JSON list.
    static func list(_ gifts: [FeedGift]) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "[")]
        bytes.reserveCapacity(gifts.reduce(2) { $0 + $1.body.count + 1 })
        for (index, gift) in gifts.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += gift.body
        }
        bytes.append(UInt8(ascii: "]"))
        return bytes
    }
}

/// The ledger's word on a job grew old between its giving and its sending.
private struct StaleDelivery: Error {}

extension Response {
    /// A JSON answer.
    static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    /// An answer that says what is wrong.
    static func problem(_ status: HTTPResponse.Status, _ message: String) -> Response {
        json(JSON.object(JSONObject([("error", .string(message))])).bytes, status: status)
    }

    /// An answer with jobs, which go back to the queue when it can't be sent.
    static func jobs(_ bytes: [UInt8], _ delivery: FeedDelivery) -> Response {
        let buffer = ByteBuffer(bytes: bytes)
        let body = ResponseBody(contentLength: buffer.readableBytes) { writer in
            // The last look: what follows is on its way to a handler that begins at once. The connection breaks, the
            // process asks again, and the jobs are given with a younger word.
            guard delivery.isFresh else { throw StaleDelivery() }
            try await writer.write(buffer)
            // From here on the handler may run, whatever becomes of the connection.
            delivery.succeed()
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "application/json"], body: body)
    }
}
