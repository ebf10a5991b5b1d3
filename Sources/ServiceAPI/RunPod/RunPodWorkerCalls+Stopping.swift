// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import NIOCore
import Plumbing
import ServiceLifecycle
import Workflow

/// How workers hear which of their jobs to stop.
extension RunPodWorkerCalls {
    /// `GET /v2/{endpoint}/job-stop/{worker}`: held open until a job of this worker was cancelled, timed out or is not
    /// its own any more, then 204.
    func stops(_ request: Request, _ context: ServiceContext, _ key: Key) async throws -> Response {
        try await checkEndpoint(key)
        return try await during(key, request, context, isForStops: true) {
            let until = ContinuousClock.now + timing.hold
            await quietly { try await renew(key, .call) }
            while true {
                let jobs = table.change(key) { $0.takeStops() }
                if !jobs.isEmpty { return tell(jobs, key) }
                let bell = OneShot<Void>()
                let rest = until - .now
                guard rest > .zero, !Task.isShuttingDownGracefully else { return Response(status: .noContent) }
                guard table.hold(key, for: .stops, on: context.channel, bell) else {
                    // There are stops by now, or nobody reads the answer any more.
                    let isOver = table.read(key) { $0.stops.isEmpty } ?? true
                    if isOver { return Response(status: .noContent) }
                    continue
                }
                defer { table.release(key, bell) }
                do {
                    try await bell.value(within: min(rest, timing.tick))
                } catch {
                    return Response(status: .noContent)  // the call is broken off
                }
                // Hints may be lost, and jobs given by another API, so the ledger is asked whatever is known here.
                await quietly { try await look(key) }
                await failUnanswered(key)
                table.show(key)
            }
        }
    }

    private func tell(_ jobs: Set<JobID>, _ key: Key) -> Response {
        let json: JSON = ["jobsToStop": .array(jobs.map { .string($0.description) })]
        let delivery = AnswerDelivery { [table] in table.change(key) { $0.restoreStops(jobs) } }
        return .runPod(json.bytes, delivery)
    }
}
