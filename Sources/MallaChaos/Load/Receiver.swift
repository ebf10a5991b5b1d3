// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization
internal import Workflow

/// The clients' end of callbacks: it verifies, writes down and answers them, or fails on purpose.
final class Receiver: CallbackBehaving {
    private struct State {
        var kind: Fault.Kind?
        var gone: Set<String> = []
        var arrivals: [CallbackArrival] = []
        /// Connections with a request that gets no answer.
        var held: [ObjectIdentifier: any Channel] = [:]
    }

    private let state = Mutex(State())
    private let signature: CallbackSignature
    private let group: MultiThreadedEventLoopGroup
    private let listener = Mutex<(any Channel)?>(nil)

    private init(secrets: [String]) {
        signature = CallbackSignature(secrets: secrets)
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    }

    /// Listens on loopback.
    ///
    /// - Parameters:
    ///   - secrets: the `CALLBACK_SECRET`s of which one must have signed.
    ///   - port: 0 takes a free one.
    /// - Throws: what NIO throws when it can't listen.
    static func start(secrets: [String], port: Int = 0) async throws -> Receiver {
        let receiver = Receiver(secrets: secrets)
        let channel = try await ServerBootstrap(group: receiver.group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 512)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(ReceiverHandler(receiver))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        receiver.listener.withLock { $0 = channel }
        return receiver
    }

    /// Where it listens; 0 when it was stopped.
    var port: Int { listener.withLock { $0?.localAddress?.port } ?? 0 }

    /// Ends every connection and its thread.
    func stop() async {
        let channel = listener.withLock { channel in
            defer { channel = nil }
            return channel
        }
        // Already closed is as good.
        try? await channel?.close().get()
        behave(nil)
        do {
            try await group.shutdownGracefully()
        } catch {
            // It was stopped before.
        }
    }

    /// The callbacks so far.
    var arrivals: [CallbackArrival] { state.withLock { $0.arrivals } }

    /// The callbacks since this was last asked; they are forgotten here.
    func takeArrivals() -> [CallbackArrival] {
        state.withLock { state in
            defer { state.arrivals = [] }
            return state.arrivals
        }
    }

    /// From now on callbacks of tasks with these keys are answered with 410, whatever else happens.
    func refuse(_ keys: Set<String>) { state.withLock { $0.gone.formUnion(keys) } }

    /// Behaves as told; held requests end without an answer when it no longer hangs.
    func behave(_ kind: Fault.Kind?) {
        let held = state.withLock { state in
            state.kind = kind
            guard kind != .hang else { return [any Channel]() }
            defer { state.held = [:] }
            return Array(state.held.values)
        }
        for channel in held { channel.close(promise: nil) }
    }

    /// Takes a request and returns the status to answer with; nil holds the connection.
    func take(_ headers: HTTPHeaders, _ body: [UInt8], on channel: any Channel) -> Int? {
        let id = headers.first(name: "webhook-id") ?? ""
        let at = ChaosClient.now
        let json = (try? JSON(parsing: body)) ?? JSON.null
        let isSigned = signature.isRight(
            id: id,
            timestamp: headers.first(name: "webhook-timestamp") ?? "",
            signatures: headers.first(name: "webhook-signature") ?? "",
            body: body,
            at: at
        )
        let hash = PlannedOriginal.hash(body)
        return state.withLock { state in
            let status: Int? =
                if state.gone.contains(json["requestId"]?.string ?? "") {
                    410
                } else {
                    switch state.kind {
                    case .hang: nil
                    case .serverError: 500
                    default: 204
                    }
                }
            if status == nil { state.held[ObjectIdentifier(channel)] = channel }
            state.arrivals.append(
                CallbackArrival(at: at, id: id, bodyHash: hash, body: json, isSigned: isSigned, answered: status)
            )
            return status
        }
    }

    /// Forgets a connection that ended.
    func forget(_ channel: any Channel) {
        state.withLock { _ = $0.held.removeValue(forKey: ObjectIdentifier(channel)) }
    }
}
