// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Explain
import Hummingbird
import Ledger
import Plumbing
import Workflow

/// What waits and runs for each service, and who works on it.
struct QueueRoutes: Sendable {
    let parts: ServiceParts
    let services: [String: ServiceDefinition]

    var routes: [APIRoute] {
        [
            APIRoute(
                method: .get,
                path: "/api/v1/queues",
                tag: "jobs",
                summary: "What waits and runs for each service, and how many workers and slots it has.",
                answers: [.init(status: .ok, text: "One entry a service, by name.", schema: Self.schema)],
                handle: { _, _ in try await list() }
            )
        ]
    }

    private func list() async throws -> Response {
        let names = services.keys.sorted()
        let loads = try await parts.ledger.loads(of: names)
        let workers = try await parts.ledger.workers()
        let depths = await depths(of: names)
        let queues = loads.map { load -> JSON in
            let own = workers.filter {
                $0.isAlive && $0.beat.services.contains(load.service) && !$0.beat.isDraining
            }
            return [
                "service": .string(load.service), "due": .number(JSONNumber(load.due)),
                "later": .number(JSONNumber(load.waiting - load.due)), "running": .number(JSONNumber(load.running)),
                "workers": .number(JSONNumber(own.count)),
                "slots": .number(JSONNumber(own.reduce(0) { $0 + $1.slots(of: load.service, services[load.service]) })),
                "tickets": depths[load.service].map { .number(JSONNumber($0)) } ?? .null,
                "backlog": .number(JSONNumber(services[load.service]?.backlog ?? 0)),
                "remote": .bool(services[load.service]?.engine == .remote),
            ]
        }
        return .json(["queues": .array(queues)])
    }

    /// How many tickets lie in each queue; none of those that the broker does not tell.
    private func depths(of names: [String]) async -> [String: Int] {
        var depths: [String: Int] = [:]
        for name in names {
            do {
                depths[name] = try await parts.broker.depth(of: QueueName.tickets(service: name)) ?? 0
            } catch {
                // The broker is away: the numbers of the ledger are still worth showing.
                return depths
            }
        }
        return depths
    }

    private static let schema: JSON = [
        "type": "object", "required": ["queues"],
        "properties": [
            "queues": [
                "type": "array",
                "items": [
                    "type": "object", "required": ["service", "due", "later", "running", "workers", "slots"],
                    "properties": [
                        "service": ["type": "string"], "due": ["type": "integer"], "later": ["type": "integer"],
                        "running": ["type": "integer"], "workers": ["type": "integer"],
                        "slots": ["type": "integer"], "tickets": ["type": ["integer", "null"]],
                        "backlog": ["type": "integer"], "remote": ["type": "boolean"],
                    ],
                ],
            ]
        ],
    ]
}
