// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// What is told of numbers, workers, providers and machines, as JSON Schema.
enum JobStatusSchemas {
    static let worker: JSON = [
        "type": "object",
        "required": ["worker_id", "name", "services", "slots", "running", "draining", "remote", "beat_at"],
        "properties": [
            "worker_id": ["type": "string"], "name": ["type": "string"],
            "services": ["type": "array", "items": ["type": "string"]], "slots": ["type": "integer"],
            "running": ["type": "integer"], "draining": ["type": "boolean"], "remote": ["type": "boolean"],
            "beat_at": JobSchemas.moment, "started_at": JobSchemas.moment, "trouble": [:],
        ],
    ]

    static let percentiles = JobSchemas.optional([
        "type": "object", "required": ["p50", "p95"],
        "properties": ["p50": ["type": "number"], "p95": ["type": "number"]],
    ])

    static let numbers: JSON = [
        "total": ["type": "integer"],
        "states": ["type": "object", "additionalProperties": ["type": "integer"]],
        "errors": ["type": "object", "additionalProperties": ["type": "integer"]],
        "repeats": ["type": "integer"], "wait_ms": percentiles, "run_ms": percentiles,
        "usage": JobSchemas.reference("Usage"), "cost_usd": ["type": "number"],
    ]

    static let needed: JSON = ["total", "states", "errors", "repeats", "wait_ms", "run_ms", "usage", "cost_usd"]
}

extension JobSchemas {
    static let workers: JSON = [
        "type": "object", "required": ["workers"], "properties": ["workers": list(reference("Worker"))],
    ]

    static let statistics: JSON = [
        "type": "object", "required": JobStatusSchemas.needed,
        "properties": JobStatusSchemas.numbers
            .adding("from", optional(moment)).adding("to", optional(moment))
            .adding("throughput", ["type": "object"])
            .adding("task_types", list(group)).adding("group_by", ["type": "string"])
            .adding("groups", list(group)),
    ]

    private static let group: JSON = [
        "type": "object", "required": ["group"],
        "properties": JobStatusSchemas.numbers.adding("group", ["type": "string"]),
    ]

    static let providers: JSON = [
        "type": "object", "required": ["providers"],
        "properties": [
            "providers": list([
                "type": "object", "required": ["name", "services", "configured", "reachable"],
                "properties": [
                    "name": ["type": "string"], "kind": optional(["type": "string"]),
                    "services": list(["type": "string"]), "model": optional(["type": "string"]),
                    "configured": ["type": "boolean"], "reachable": ["type": "boolean"],
                    "latency_ms": optional(["type": "integer"]), "models": optional(list(["type": "string"])),
                    "error": optional(["type": "string"]),
                ],
            ])
        ],
    ]

    static let infrastructure: JSON = [
        "type": "object", "required": ["workers", "sidecars"],
        "properties": [
            "workers": list(reference("Worker")),
            "sidecars": list([
                "type": "object", "required": ["name", "reachable"],
                "properties": [
                    "name": ["type": "string"], "reachable": ["type": "boolean"],
                    "latency_ms": optional(["type": "integer"]), "status": [:],
                    "metrics": optional(["type": "object"]), "error": optional(["type": "string"]),
                ],
            ]),
        ],
    ]
}
