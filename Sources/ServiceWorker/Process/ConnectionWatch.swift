// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import NIOCore

/// Says when a connection has gone, also while a call on it is held and nothing is read or written.
///
/// Handlers never half-close: an end of their side means that nobody will read the answer.
final class ConnectionWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let onEnd: @Sendable (ObjectIdentifier) -> Void

    init(onEnd: @escaping @Sendable (ObjectIdentifier) -> Void) {
        self.onEnd = onEnd
    }

    func channelInactive(context: ChannelHandlerContext) {
        onEnd(ObjectIdentifier(context.channel))
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { onEnd(ObjectIdentifier(context.channel)) }
        context.fireUserInboundEventTriggered(event)
    }
}
