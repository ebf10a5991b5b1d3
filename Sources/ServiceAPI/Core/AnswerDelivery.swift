// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Hummingbird
import Ledger
import Logging
import NIOCore
import Plumbing
import Synchronization

/// An answer on its way to a worker elsewhere; what it carries goes back unless it could be sent.
final class AnswerDelivery: Sendable {
    private let onLoss: @Sendable () async -> Void
    private let isDone = Atomic(false)

    /// Makes one; `onLoss` runs when the answer is dropped without having been sent.
    init(onLoss: @escaping @Sendable () async -> Void) {
        self.onLoss = onLoss
    }

    /// Makes one of claimed jobs: they are handed back.
    convenience init(_ records: [JobRecord], desk: JobDesk) {
        let probes = records.compactMap(\.probe)
        self.init { await desk.handBackLost(probes) }
    }

    deinit {
        guard !isDone.load(ordering: .acquiring) else { return }
        let onLoss = onLoss
        Task.detached { await onLoss() }
    }

    /// The answer has been sent.
    func succeed() {
        isDone.store(true, ordering: .releasing)
    }
}

extension JobDesk {
    /// Gives jobs back whose answer was lost; where the ledger is away, their leases run out.
    func handBackLost(_ probes: [LeaseProbe]) async {
        guard !probes.isEmpty else { return }
        do {
            try await handBack(probes)
        } catch {
            parts.logger.warning(
                "jobs that did not reach their worker can't be handed back; their leases will run out",
                metadata: [LogKey.count: "\(probes.count)", LogKey.error: "\(error)"]
            )
        }
    }
}

extension Response {
    /// An answer of JSON that carries something which goes back when it can't be sent.
    static func delivering(
        _ json: [UInt8],
        _ delivery: AnswerDelivery,
        contentType: String = "application/json; charset=utf-8"
    ) -> Response {
        let buffer = ByteBuffer(bytes: json)
        let body = ResponseBody(contentLength: buffer.readableBytes) { writer in
            try await writer.write(buffer)
            try await writer.finish(nil)
            delivery.succeed()
        }
        return Response(status: .ok, headers: [.contentType: contentType], body: body)
    }
}
