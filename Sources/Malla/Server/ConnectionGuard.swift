// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import NIOCore

/// Ends connections whose client takes too long: heads and bodies that trickle in, answers that nobody reads, idleness.
///
/// It stands next to the socket, in front of the HTTP decoder. Every connection that the server ends by itself lingers:
/// our side is closed, and what still comes is read for a while and dropped. Closing both sides over unread bytes would
/// be a reset, which takes the answer from the client.
final class ConnectionGuard: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long a client has to close its side when nothing is expected of it any more.
    private static let farewell: TimeAmount = .seconds(2)

    private let limits: ClientLimits
    private let census: ConnectionCensus
    private var isCounted = false
    private var isCountedRefused = false
    /// Whether this handler has answered by itself, so that nothing goes up or down any more.
    private var isRefused = false
    /// Whether our side closes as soon as all has been sent.
    private(set) var isLingering = false
    private var hasSentAll = false
    private var drained = 0
    private var watch: RepeatedTask?
    private var ending: Scheduled<Void>?
    /// What the handler behind the decoder tells as well.
    var clock: ClientClock

    init(limits: ClientLimits, census: ConnectionCensus) {
        self.limits = limits
        self.census = census
        clock = ClientClock(limits: limits, now: .now())
    }

    /// Whether places run out.
    var isCrowded: Bool { census.isCrowded }

    func channelActive(context: ChannelHandlerContext) {
        isCounted = census.enter(isLocal: context.remoteAddress.map(Self.isLocal) ?? false)
        guard isCounted else {
            isCountedRefused = census.lingerRefused()
            refuse(context, with: "503 Service Unavailable\r\nRetry-After: 5")
            if !isCountedRefused { context.close(promise: nil) }
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
        guard isLingering || isRefused else {
            clock.received(at: .now())
            return context.fireChannelRead(data)
        }
        drained += unwrapInboundIn(data).readableBytes
        guard drained <= ClientLimits.mostDrained else { return context.close(promise: nil) }
        // The decoder finds the end of the request.
        if !isRefused, clock.isBodyOpen { context.fireChannelRead(data) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // The server behind may not want to read any more.
        if isLingering { context.read() }
    }

    func read(context: ChannelHandlerContext) {
        clock.wantsBytes(at: .now())
        context.read()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isRefused else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        clock.wrote(unwrapOutboundIn(data).readableBytes)
        context.write(data, promise: promise)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output, !isLingering else { return context.close(mode: mode, promise: promise) }
        linger(context, promise)
    }

    /// Gives the client time: `patience` while a request that is answered still comes, else a moment.
    func endSoon(_ context: ChannelHandlerContext) {
        guard hasSentAll, context.channel.isActive else { return }
        ending?.cancel()
        let time = clock.isBodyOpen && !isRefused ? TimeAmount(limits.patience) : Self.farewell
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        ending = context.eventLoop.scheduleTask(in: time) { bound.value.close(promise: nil) }
    }

    private func look(_ context: ChannelHandlerContext) {
        let buffered = Self.buffered(context.channel)
        let verdict = clock.verdict(at: .now(), buffered: buffered, isCrowded: census.isCrowded)
        // A connection that lingers has its own end, once all has been sent.
        guard !isLingering || verdict == .answerUnread else { return }
        switch verdict {
        case .patient: break
        case .requestTimedOut where buffered == 0 && clock.canBeTold: refuse(context, with: "408 Request Timeout")
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

    private static func isLocal(_ address: SocketAddress) -> Bool {
        guard let text = address.ipAddress else { return true }
        return text.hasPrefix("127.") || text == "::1" || text.hasPrefix("::ffff:127.")
    }

    /// Answers without the decoder and the routes, and lingers.
    private func refuse(_ context: ChannelHandlerContext, with status: String) {
        isRefused = true
        let answer = "HTTP/1.1 \(status)\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: answer)), promise: nil)
        linger(context, nil)
    }

    /// Closes our side when all has been sent, reads on, and closes the other side in a while.
    private func linger(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        isLingering = true
        let sent = promise ?? context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        sent.futureResult.whenComplete { _ in
            let (handler, context) = bound.value
            handler.hasSentAll = true
            handler.endSoon(context)
        }
        context.close(mode: .output, promise: sent)
        context.read()
    }

    private func stop() {
        watch?.cancel()
        watch = nil
        ending?.cancel()
        ending = nil
        if isCounted { census.leave() }
        if isCountedRefused { census.leaveRefused() }
        (isCounted, isCountedRefused) = (false, false)
    }
}

@available(*, unavailable)
extension ConnectionGuard: Sendable {}
