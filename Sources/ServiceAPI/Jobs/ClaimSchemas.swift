// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// What workers elsewhere send and get, as JSON Schema.
extension JobSchemas {
    private static let worker = text(200)
    private static let leaseSeconds: JSON = ["type": "number", "minimum": 1, "maximum": 86_400]
    private static let texts: JSON = ["type": "array", "items": text(), "maxItems": 100]

    static let claim: JSON = [
        "type": "object", "required": ["worker_id"], "additionalProperties": false,
        "properties": [
            "worker_id": worker, "task_types": texts, "model_profiles": texts, "limit": whole(1, 100),
            "lease_seconds": leaseSeconds, "wait_seconds": ["type": "number", "minimum": 0, "maximum": 30],
        ],
    ]

    static let claimed: JSON = [
        "type": "object", "required": ["jobs"], "properties": ["jobs": list(reference("Job"))],
    ]

    static let heartbeat: JSON = [
        "type": "object", "required": ["worker_id"], "additionalProperties": false,
        "properties": [
            "worker_id": worker, "lease_id": uuid, "lease_seconds": leaseSeconds,
            "progress": ["description": "Any JSON; shown with the job and in its events."],
        ],
    ]

    static let lease: JSON = [
        "type": "object", "required": ["lease_id", "lease_expires_at", "cancel"],
        "properties": [
            "lease_id": uuid, "lease_expires_at": optional(moment),
            "cancel": ["type": "boolean", "description": "Whether the worker should stop."],
        ],
    ]

    static let completion: JSON = [
        "type": "object", "required": ["worker_id", "result"], "additionalProperties": false,
        "properties": [
            "worker_id": worker, "lease_id": uuid, "result": ["description": "Any JSON, at most 16 MiB."],
            "usage": optional(reference("Usage")),
        ],
    ]

    static let failure: JSON = [
        "type": "object", "required": ["worker_id", "category", "message"], "additionalProperties": false,
        "properties": [
            "worker_id": worker, "lease_id": uuid, "category": ["enum": categories], "message": ["type": "string"],
            "retry": [
                "type": "boolean",
                "description": "Whether another attempt makes sense; by default the category decides.",
            ],
        ],
    ]
}
