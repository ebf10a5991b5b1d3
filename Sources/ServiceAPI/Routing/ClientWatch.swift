// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import NIOCore

/// Says when a connection has gone, also while a call on it is held and nothing is read or written.
///
/// Clients of these calls never half-close: an end of their side means that nobody will read the answer.
final class ClientWatch: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = NIOAny

    private let onEnd: @Sendable () -> Void

    init(onEnd: @escaping @Sendable () -> Void) {
        self.onEnd = onEnd
    }

    func channelInactive(context: ChannelHandlerContext) {
        onEnd()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { onEnd() }
        context.fireUserInboundEventTriggered(event)
    }
}

extension ServiceContext {
    /// Does something that may take long, and cancels it when the client has gone.
    func whileConnected<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = Task { try await body() }
        let watch = ClientWatch { task.cancel() }
        let channel = channel
        channel.eventLoop.execute {
            do {
                try channel.pipeline.syncOperations.addHandler(watch, position: .first)
            } catch {
                // The connection has gone already.
                task.cancel()
            }
        }
        defer { channel.pipeline.removeHandler(watch, promise: nil) }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
