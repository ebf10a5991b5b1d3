// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import NIOCore

/// Says when a worker's connection has ended, and by whom: a dead one takes the calls with it that are held on it.
///
/// Workers never half-close: an end of their side means that nobody will read the answer.
final class RunPodWorkerWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias OutboundIn = NIOAny

    private let onEnd: @Sendable (_ byPeer: Bool) -> Void
    private var isOurs = false

    init(onEnd: @escaping @Sendable (Bool) -> Void) {
        self.onEnd = onEnd
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        isOurs = true
        context.close(mode: mode, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        onEnd(!isOurs)
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { onEnd(!isOurs) }
        context.fireUserInboundEventTriggered(event)
    }
}
