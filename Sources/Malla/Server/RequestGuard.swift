// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import NIOCore
import NIOHTTP1

/// Refuses requests whose framing two servers could read in two ways, and ends those that are answered before they have
/// come.
///
/// It stands right behind the HTTP decoder, which refuses what is wrong by itself: two lengths, a length beside
/// `Transfer-Encoding`, bare line feeds, folded lines.
final class RequestGuard: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What is left of a refused body is read when it is no more than this; beyond, the connection ends.
    private static let smallRest = 64 << 10

    private let connection: ConnectionGuard
    private var isRefused = false
    private var closesAfterAnswer = false
    /// What is still to come of the body; nil when the client has not said.
    private var rest: Int?

    init(connection: ConnectionGuard) {
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isRefused else { return }
        switch unwrapInboundIn(data) {
        case .head where closesAfterAnswer:
            // It was told that no other request is taken.
            isRefused = true
            return
        case .head(let head):
            guard let error = Self.fault(head) else {
                begin(head, context)
                break
            }
            // The server behind answers the requests before this one, then 400, and closes.
            isRefused = true
            context.fireErrorCaught(error)
            return
        case .body(let bytes):
            connection.clock.body(bytes.readableBytes)
            rest = rest.map { $0 - bytes.readableBytes }
            if connection.isLingering { return }
        case .end:
            connection.clock.endOfRequest()
            if connection.isLingering { return connection.endSoon(context) }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head):
            connection.clock.startOfAnswer()
            let hasMuchToCome = isAnsweredEarly && rest.map { $0 > Self.smallRest } ?? true
            if hasMuchToCome || connection.isCrowded && isLast {
                closesAfterAnswer = true
                head.headers.replaceOrAdd(name: "Connection", value: "close")
            }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            context.write(data, promise: promise)
            connection.clock.endOfAnswer(at: .now())
            guard closesAfterAnswer else { break }
            context.flush()
            context.close(mode: .output, promise: nil)
        }
    }

    /// Whether the answer that goes out belongs to the request that is still coming.
    private var isAnsweredEarly: Bool { connection.clock.isBodyOpen && connection.clock.openRequests == 1 }

    /// Whether the answer that goes out is the last one that the client waits for, and its request has come.
    private var isLast: Bool { !connection.clock.isBodyOpen && connection.clock.openRequests <= 1 }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let isAlone = connection.clock.openRequests == 0
        connection.clock.head()
        let length = head.headers.first(name: "Content-Length")
        rest = head.headers.contains(name: "Transfer-Encoding") ? nil : length.map { Int($0) ?? .max } ?? 0
        let waits = head.headers[canonicalForm: "Expect"].contains { $0.lowercased() == "100-continue" }
        guard waits, isAlone, head.version != .http1_0, rest != 0 else { return }
        let answer = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(answer)), promise: nil)
    }

    /// What is wrong with a request's framing.
    private static func fault(_ head: HTTPRequestHead) -> HTTPParserError? {
        let encodings = head.headers["Transfer-Encoding"]
        if !encodings.isEmpty {
            let isChunked = encodings.count == 1 && encodings[0].lowercased() == "chunked"
            guard isChunked, head.version != .http1_0, !head.headers.contains(name: "Content-Length") else {
                return .unexpectedContentLength
            }
        }
        let hosts = head.headers["Host"].count
        guard hosts == 1 || hosts == 0 && head.version == .http1_0 else { return .invalidHeaderToken }
        guard head.method != .CONNECT else { return .invalidMethod }
        return nil
    }
}

@available(*, unavailable)
extension RequestGuard: Sendable {}
