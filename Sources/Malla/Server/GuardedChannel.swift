// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypesHTTP1

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// HTTP/1.1 for clients that nobody knows: ``ConnectionGuard`` and ``RequestGuard`` around Hummingbird's channel.
struct GuardedChannel: ServerChildChannel {
    private let http: HTTP1Channel
    private let limits: ClientLimits
    private let census: ConnectionCensus

    init(responder: @escaping HTTPChannelHandler.Responder, limits: ClientLimits) {
        // Heads are small here: tokens, ids, signed URLs.
        let heads = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: 16 << 10,
            maxHeaderListSize: 64 << 10,
            maxHeaderFieldCount: 200
        )
        http = HTTP1Channel(responder: responder, configuration: .init(httpDecoderConfiguration: heads))
        self.limits = limits
        census = ConnectionCensus(places: limits.connections)
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        let (limits, census, http) = (limits, census, http)
        return channel.eventLoop.makeCompletedFuture {
            let unsent = NIOBSDSocket.Option(rawValue: TCP_NOTSENT_LOWAT)
            try channel.syncOptions?.setOption(.tcpOption(unsent), value: .init(ClientLimits.mostUnsent))
            let connection = ConnectionGuard(limits: limits, census: census)
            try channel.pipeline.syncOperations.addHandler(connection)
            return NIOLoopBound(connection, eventLoop: channel.eventLoop)
        }.flatMap { connection in
            http.setup(channel: channel, logger: logger).flatMapThrowing { value in
                let pipeline = channel.pipeline.syncOperations
                let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
                try pipeline.addHandler(RequestGuard(connection: connection.value), position: .before(codec))
                return value
            }
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await http.handle(value: value, logger: logger)
    }
}
