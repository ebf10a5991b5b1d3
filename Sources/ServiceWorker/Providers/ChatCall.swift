// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import HTTPTransfer
internal import Workflow

/// One call of one upstream for chat completions.
struct ChatCall: Sendable {
    let http: any HTTPTransferring
    let upstream: Upstream
    /// The most bytes of an answer, of a stream in all.
    let answerLimit: Int
    let trace: String?

    private static let errorLimit = 64 * 1024

    /// Asks and reads the answer, in pieces or whole as it comes; `told` gets every piece of its text.
    ///
    /// - Throws: ``UpstreamFailure``, or `TransferError` when the transfer fails.
    func run(body: [UInt8], told: @Sendable (String) -> Void) async throws -> ChatAnswer {
        var request = TransferRequest("POST", upstream.address(of: "chat/completions"), timeout: upstream.patience)
        request.headers = upstream.headers(accepting: "application/json, text/event-stream", trace: trace)
        request.headers.append(("Content-Type", "application/json"))
        request.body = .bytes(body)
        let (head, bytes) = try await http.stream(request)
        let type = head["content-type"]?.lowercased()
        guard (200...299).contains(head.status) else {
            let body = try await collect(bytes, limit: Self.errorLimit, isCut: true)
            throw UpstreamFailure(status: head.status, contentType: type, body: body, from: upstream)
        }
        if type?.contains("event-stream") == true { return try await read(stream: bytes, told) }
        guard type.map({ $0.contains("json") || $0.hasPrefix("text/plain") }) ?? true else {
            throw UpstreamFailure.unreadable("it answered with \(type?.prefix(60) ?? "nothing"), not with JSON")
        }
        let whole = try await collect(bytes, limit: answerLimit, isCut: false)
        let answer = try ChatAnswer(whole: whole, from: upstream)
        told(answer.content)
        return answer
    }

    private func read(
        stream bytes: AsyncThrowingStream<[UInt8], any Error>,
        _ told: @Sendable (String) -> Void
    ) async throws -> ChatAnswer {
        var answer = ChatAnswer()
        var events = ServerSentEvents(limit: min(answerLimit, 4 << 20))
        var size = 0
        for try await chunk in bytes {
            size += chunk.count
            guard size <= answerLimit else {
                throw UpstreamFailure.unreadable("its answer has more than \(answerLimit) bytes")
            }
            let complete: [ServerSentEvent]
            do { complete = try events.take(chunk) } catch { throw UpstreamFailure.unreadable("\(error)") }
            for event in complete where !answer.isOver {
                let text = try answer.take(event: event.data, from: upstream)
                if !text.isEmpty { told(text) }
            }
            // What a server says after the end is not waited for.
            if answer.isOver { break }
        }
        try Task.checkCancellation()
        try answer.checkEnd()
        return answer
    }

    private func collect(
        _ bytes: AsyncThrowingStream<[UInt8], any Error>,
        limit: Int,
        isCut: Bool
    ) async throws -> [UInt8] {
        var body: [UInt8] = []
        for try await chunk in bytes {
            body += chunk
            guard body.count > limit else { continue }
            guard isCut else { throw UpstreamFailure.unreadable("its answer has more than \(limit) bytes") }
            return Array(body.prefix(limit))
        }
        try Task.checkCancellation()
        return body
    }
}
