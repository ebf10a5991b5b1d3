// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// The schemas of what probes ask.
enum HealthSchemas {
    static let health: JSON = [
        "type": "object", "required": ["status"], "properties": ["status": ["const": "ok"]],
    ]

    static let readiness: JSON = [
        "type": "object", "required": ["status", "services", "failing"],
        "properties": [
            "status": ["enum": ["ok", "not ready"]],
            "services": ["type": "array", "items": ["type": "string"]],
            "failing": ["type": "object", "additionalProperties": ["type": "string"]],
        ],
    ]
}
