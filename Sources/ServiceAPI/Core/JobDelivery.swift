// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import Logging
import NIOCore
import Plumbing
import Synchronization
import Workflow

/// Jobs on their way to a worker elsewhere: they are handed back unless their answer has been sent.
final class JobDelivery: Sendable {
    private let desk: JobDesk
    private let probes: [LeaseProbe]
    private let isDone = Atomic(false)

    init(_ records: [JobRecord], desk: JobDesk) {
        self.desk = desk
        probes = records.compactMap { record in record.job.lease.map { LeaseProbe(job: record.job.id, lease: $0) } }
    }

    deinit {
        guard !probes.isEmpty, !isDone.load(ordering: .acquiring) else { return }
        let (desk, probes) = (desk, probes)
        Task {
            do {
                try await desk.handBack(probes)
            } catch {
                desk.parts.logger.warning(
                    "jobs that did not reach their worker can't be handed back; their leases will run out",
                    metadata: [LogKey.count: "\(probes.count)", LogKey.error: "\(error)"]
                )
            }
        }
    }

    /// The answer has been sent.
    func succeed() {
        isDone.store(true, ordering: .releasing)
    }
}

extension Response {
    /// An answer with jobs, which are handed back when it can't be sent.
    static func delivering(_ json: [UInt8], _ delivery: JobDelivery) -> Response {
        let buffer = ByteBuffer(bytes: json)
        let body = ResponseBody(contentLength: buffer.readableBytes) { writer in
            try await writer.write(buffer)
            try await writer.finish(nil)
            delivery.succeed()
        }
        return Response(status: .ok, headers: [.contentType: "application/json; charset=utf-8"], body: body)
    }
}
