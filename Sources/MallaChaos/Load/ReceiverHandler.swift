// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import NIOCore
internal import NIOHTTP1

/// Collects the requests of one connection and answers as the receiver says.
final class ReceiverHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let receiver: Receiver
    private var headers = HTTPHeaders()
    private var isKeptAlive = true
    private var body: [UInt8] = []

    init(_ receiver: Receiver) { self.receiver = receiver }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            headers = head.headers
            isKeptAlive = head.isKeepAlive
            body = []
        case .body(let bytes):
            body += bytes.readableBytesView
        case .end:
            guard let status = receiver.take(headers, body, on: context.channel) else { return }
            answer(status, context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        receiver.forget(context.channel)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A broken connection is part of the game; its callback comes again.
        context.close(promise: nil)
    }

    private func answer(_ status: Int, _ context: ChannelHandlerContext) {
        let status = HTTPResponseStatus(statusCode: status)
        var head = HTTPResponseHead(version: .http1_1, status: status)
        if status.mayHaveResponseBody { head.headers.add(name: "content-length", value: "0") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if !isKeptAlive { context.close(promise: nil) }
    }
}
