// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import NIOCore

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// One end of a connection through a proxy: reads a chunk, hands it to the other end, and only then reads on.
final class ProxyEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What it belongs to; the pair and its ends let go of each other when the channel is closed.
    var pair: ProxyPair?
    private var context: ChannelHandlerContext?
    private var isBroken = false
    private var isReading = false

    /// Whether its channel exists and is not closed.
    var isOpen: Bool { context != nil }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        pair?.isUp(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = false
        let buffer = unwrapInboundIn(data)
        guard let pair, pair.mode == .slow else { return pass(buffer) }
        context.eventLoop.assumeIsolated().scheduleTask(in: pair.lateness(of: buffer.readableBytes)) {
            self.pass(buffer)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event, let pair, pair.mode != .halfOpen else { return }
        pair.partner(of: self).closeOutput()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        isBroken = true
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { leave() }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    /// Reads the next chunk, unless the link is stuck.
    func read() {
        guard let context, let pair, pair.mode != .halfOpen, !isReading else { return }
        isReading = true
        context.read()
    }

    /// Closes it in an orderly way.
    func close() { context?.close(promise: nil) }

    /// Closes it so that its peer sees a reset.
    func reset() {
        guard let context else { return }
        if let provider = context.channel as? any SocketOptionProvider {
            provider.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenFailure { _ in }
        }
        context.close(promise: nil)
    }

    private func closeOutput() { context?.close(mode: .output, promise: nil) }

    private func pass(_ buffer: ByteBuffer) {
        // What was read before a link got stuck is lost with the connection, which is reset at the end.
        guard let pair, pair.mode != .halfOpen, let other = pair.partner(of: self).context else { return }
        let written = other.writeAndFlush(wrapOutboundOut(buffer))
        written.assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.read()
            case .failure: self.pair?.reset()
            }
        }
    }

    private func leave() {
        guard context != nil else { return }
        context = nil
        let pair = pair
        self.pair = nil
        pair?.closed(self, isBroken: isBroken)
    }
}
