// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import Plumbing
import Workflow

/// Shows the workers that have shown themselves lately: the mesh's own and those elsewhere.
struct WorkerRoutes: Sendable {
    let ledger: any Ledger

    var routes: [APIRoute] {
        [
            APIRoute(
                method: .get,
                path: "/api/v1/workers",
                tag: "workers",
                summary: "Lists the workers with what they do and the last trouble of their handlers.",
                answers: [.init(status: .ok, text: "The workers.", schema: JobSchemas.workers)],
                handle: { _, _ in
                    let workers = try await ledger.workers()
                    return .json(["workers": .array(workers.map { Self.json(of: $0) })])
                }
            )
        ]
    }

    static func json(of worker: WorkerRecord) -> JSON {
        let services: [JSON] = worker.beat.services.map { .string($0) }
        return [
            "worker_id": .string(worker.beat.worker), "name": .string(worker.beat.name),
            "services": .array(services),
            "slots": .number(JSONNumber(worker.beat.slots)), "running": .number(JSONNumber(worker.beat.running)),
            "alive": .bool(worker.isAlive), "draining": .bool(worker.beat.isDraining),
            "remote": .bool(worker.beat.isRemote),
            "beat_at": .string(worker.beatAt.rfc3339), "started_at": .string(worker.startedAt.rfc3339),
            "trouble": worker.beat.trouble.flatMap { try? JSON(parsing: $0) } ?? .null,
        ]
    }
}
