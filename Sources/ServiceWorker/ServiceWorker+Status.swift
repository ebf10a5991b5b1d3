// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
public import Workflow

extension ServiceWorker {
    private static let outputLimit = 4096
    private static let troubleLimit = 3

    /// What the worker does now, as JSON: its id, services with slots and trouble, and running jobs with their ages.
    public var status: JSON {
        get async {
            var services: [JSON] = []
            for line in lines {
                let view = await line.view
                services.append([
                    "service": .string(line.service.name), "slots": .number(JSONNumber(line.engine.slots)),
                    "ready": .number(JSONNumber(line.engine.readySlots)),
                    "running": .number(JSONNumber(view.running)), "tickets": .number(JSONNumber(view.held)),
                    "paused": .bool(view.isPaused), "trouble": .array(await Self.trouble(of: line)),
                ])
            }
            return [
                "worker": .string(id), "name": .string(floor.settings.name), "draining": .bool(isDraining),
                "open": .bool(floor.isOpen), "services": .array(services), "jobs": .array(jobs),
                "unsettled": .number(JSONNumber(floor.outbox.count)),
            ]
        }
    }

    /// The engines' trouble by service; nil when all is well.
    func troubleJSON() async -> JSON? {
        var services = JSONObject()
        for line in lines {
            let trouble = await Self.trouble(of: line)
            if !trouble.isEmpty { services[line.service.name] = .array(trouble) }
        }
        return services.count == 0 ? nil : .object(services)
    }

    private var jobs: [JSON] {
        let now = ContinuousClock.now
        let running = floor.leases.entries.filter { $0.phase == .running }
        return running.sorted { $0.claimedAt < $1.claimedAt }.map { entry in
            var json: JSON = [
                "job": .string(entry.job.id.description), "service": .string(entry.job.service),
                "attempt": .number(JSONNumber(entry.job.attempt)),
                "age_ms": .number(JSONNumber(Int((now - entry.claimedAt).wholeMilliseconds))),
            ]
            if let task = entry.job.task { json = json.adding("task", .string(task.description)) }
            return json
        }
    }

    private static func trouble(of line: ServiceLine) async -> [JSON] {
        await line.engine.trouble.suffix(troubleLimit).map {
            [
                "at": .string($0.at.rfc3339), "message": .string($0.message),
                "output": .string(String($0.output.suffix(outputLimit))),
            ]
        }
    }
}
