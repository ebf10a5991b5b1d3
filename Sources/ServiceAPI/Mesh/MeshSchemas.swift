// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// The schemas of the hand-over.
enum MeshSchemas {
    static let handOver: JSON = [
        "type": "object", "required": ["jobs"],
        "properties": [
            "jobs": [
                "type": "array", "maxItems": 10_000,
                "items": [
                    "type": "object", "required": ["job", "service"],
                    "properties": [
                        "job": ["type": "string", "format": "uuid"], "service": ["type": "string", "minLength": 1],
                        "definition": ["type": "string"], "traceparent": ["type": "string"],
                    ],
                ],
            ],
            "credit": [
                "type": "array",
                "items": [
                    "type": "object", "required": ["service"],
                    "properties": [
                        "service": ["type": "string"], "jobs": ["type": "integer"], "tickets": ["type": "integer"],
                    ],
                ],
            ],
        ],
    ]

    static let verdict: JSON = [
        "type": "object", "required": ["refused"],
        "properties": [
            "refused": ["type": "array", "items": ["type": "object"]],
            "credits": [
                "type": "array",
                "items": [
                    "type": "object", "required": ["service", "jobs", "for_ms"],
                    "properties": [
                        "service": ["type": "string"], "jobs": ["type": "integer"], "workers": ["type": "integer"],
                        "for_ms": ["type": "integer"],
                    ],
                ],
            ],
        ],
    ]
}
