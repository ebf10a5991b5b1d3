// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import NIOCore

/// Ends connections whose client takes too long: heads and bodies that trickle in, answers that nobody reads, idleness.
///
/// It stands next to the socket, in front of the HTTP decoder.
final class ConnectionGuard: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let limits: ClientLimits
    private let census: ConnectionCensus
    private var isCounted = false
    private var isRefused = false
    private var hasAnswered = false
    private var watch: RepeatedTask?
    /// What the handler behind the decoder tells as well.
    var clock: ClientClock

    init(limits: ClientLimits, census: ConnectionCensus) {
        self.limits = limits
        self.census = census
        clock = ClientClock(limits: limits, now: .now())
    }

    func channelActive(context: ChannelHandlerContext) {
        isCounted = census.enter()
        guard isCounted else {
            isRefused = true
            end(context, with: "503 Service Unavailable\r\nRetry-After: 5")
            return
        }
        let period = max(.milliseconds(50), min(.seconds(5), TimeAmount(limits.patience / 4)))
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        watch = context.eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in
            let (handler, context) = bound.value
            handler.look(context)
        }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        stop()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isRefused else { return }
        clock.received(at: .now())
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        clock.wantsBytes(at: .now())
        context.read()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        hasAnswered = true
        clock.wrote(unwrapOutboundIn(data).readableBytes)
        context.write(data, promise: promise)
    }

    private func look(_ context: ChannelHandlerContext) {
        let buffered = Self.buffered(context.channel)
        switch clock.verdict(at: .now(), buffered: buffered, isCrowded: census.isCrowded) {
        case .patient: break
        case .requestTimedOut where buffered == 0 && (!hasAnswered || clock.openRequests == 0):
            end(context, with: "408 Request Timeout")
        case .requestTimedOut, .answerUnread, .idleTooLong: context.close(promise: nil)
        }
    }

    /// The bytes that wait for the socket.
    private static func buffered(_ channel: any Channel) -> Int {
        do {
            return try channel.syncOptions?.getOption(.bufferedWritableBytes) ?? 0
        } catch {
            // A channel that has closed has nothing left to write.
            return 0
        }
    }

    /// Answers without the decoder and the routes, and closes.
    private func end(_ context: ChannelHandlerContext, with status: String) {
        isRefused = true
        watch?.cancel()
        let answer = "HTTP/1.1 \(status)\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: answer)), promise: nil)
        context.close(promise: nil)
    }

    private func stop() {
        watch?.cancel()
        watch = nil
        if isCounted { census.leave() }
        isCounted = false
    }
}

@available(*, unavailable)
extension ConnectionGuard: Sendable {}
