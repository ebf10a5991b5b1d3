// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// What the calls of the job contract take and answer, as JSON Schema.
enum JobSchemas {
    static let uuid: JSON = ["type": "string", "format": "uuid"]
    static let moment: JSON = ["type": "string", "format": "date-time"]
    static let status: JSON = ["enum": ["pending", "queued", "running", "completed", "failed", "cancelled"]]

    /// A text of at most so many characters, none of them a control character.
    static func text(_ limit: Int = 255) -> JSON {
        ["type": "string", "minLength": 1, "maxLength": .number(JSONNumber(limit)), "pattern": plain]
    }

    static let plain: JSON = #"^[^\u0000-\u001f\u007f]*$"#

    static func whole(_ least: Int, _ most: Int) -> JSON {
        ["type": "integer", "minimum": .number(JSONNumber(least)), "maximum": .number(JSONNumber(most))]
    }

    /// The schema of that name in the document's components.
    static func reference(_ name: String) -> JSON { OpenAPIDocument.reference(name) }

    /// A schema that takes null as well.
    static func optional(_ type: JSON) -> JSON { ["anyOf": [type, ["type": "null"]]] }

    static func described(_ type: JSON, _ text: String) -> JSON {
        optional(type).adding("description", .string(text))
    }

    /// The schemas that calls name.
    static let all: [(name: String, schema: JSON)] = [
        ("Job", job), ("NewJob", newJob), ("Problem", problem), ("Usage", usage), ("Error", error),
        ("Worker", JobStatusSchemas.worker),
    ]

    private static let number: JSON = ["type": "integer"]
    private static let anyText: JSON = ["type": "string"]

    static let job: JSON = [
        "type": "object",
        "required": [
            "id", "service", "owner_service", "owner_ref", "task_type", "model_profile", "status", "priority",
            "attempt", "max_attempts", "error", "worker_id", "lease_id", "lease_expires_at", "run_after", "deadline",
            "task_id", "stage", "item", "created_at", "started_at", "finished_at", "duration_ms",
        ],
        "properties": [
            "id": uuid, "service": anyText, "owner_service": optional(anyText), "owner_ref": optional(anyText),
            "task_type": optional(anyText), "model_profile": optional(anyText), "user": optional(anyText),
            "dedup_key": optional(anyText),
            "status": ["enum": ["pending", "running", "completed", "failed", "cancelled"]],
            "priority": whole(-7, 7), "attempt": number, "failures": number, "max_attempts": number,
            "input": [:], "result": [:], "progress": [:], "error": optional(reference("Error")),
            "usage": optional(reference("Usage")), "worker_id": optional(anyText), "lease_id": optional(uuid),
            "lease_expires_at": optional(moment), "run_after": optional(moment), "deadline": optional(moment),
            "task_id": optional(uuid), "app": optional(anyText), "stage": optional(number), "item": optional(number),
            "created_at": moment, "started_at": optional(moment), "finished_at": optional(moment),
            "duration_ms": optional(number),
        ],
    ]

    static let newJob: JSON = [
        "type": "object", "required": ["task_type"], "additionalProperties": false,
        "properties": [
            "task_type": text().adding(
                "description",
                "What kind of work it is: a type that a service takes, or a service."
            ),
            "model_profile": described(text(), "The runtime profile, where several services take the type."),
            "owner_service": described(text(), "The calling service."),
            "owner_ref": described(text(1024), "The caller's own reference, to find the job by."),
            "user": described(text(), "Whose share of the service it takes; owner_service when it is not there."),
            "input": ["description": "What the service's own schema takes; {} when it is not there."],
            "priority": described(whole(-7, 7), "A higher one is claimed first; 0 when it is not there."),
            "max_attempts": described(whole(1, 100), "How many failures end it; else the service's number."),
            "run_after": described(moment, "Not before then."),
            "deadline": described(moment, "Over then, whatever happens."),
            "dedup_key": described(text(), "The same key of the same owner_service gives the same job."),
        ],
    ]

    static let usage: JSON = [
        "type": "object",
        "properties": [
            "gpu_ms": ["type": "integer", "minimum": 0], "cost_usd": ["type": "number", "minimum": 0],
            "prompt_tokens": ["type": "integer", "minimum": 0],
            "completion_tokens": ["type": "integer", "minimum": 0],
        ],
    ]

    static let categories: JSON = .array(JobError.Category.allCases.map { .string($0.rawValue) })

    static let error: JSON = [
        "type": "object", "required": ["category", "message", "attempt"],
        "properties": [
            "category": ["enum": categories], "message": anyText, "attempt": number, "final": ["type": "boolean"],
            "field": anyText,
        ],
    ]

    static let problem: JSON = [
        "type": "object", "required": ["type", "title", "status", "detail"],
        "properties": [
            "type": anyText, "title": anyText, "status": number, "detail": anyText,
            "field": ["type": "string", "description": "The wrong field: a JSON Pointer into the body, or a name."],
        ],
    ]

    static let page: JSON = [
        "type": "object", "required": ["jobs", "next_cursor"],
        "properties": ["jobs": list(reference("Job")), "next_cursor": optional(uuid)],
    ]

    static let batch: JSON = [
        "type": "object", "required": ["jobs"], "additionalProperties": false,
        "properties": [
            "defaults": ["type": "object", "description": "What the jobs do not say themselves."],
            "jobs": ["type": "array", "minItems": 1, "maxItems": 10_000, "items": reference("NewJob")],
            "partial": ["type": "boolean"],
        ],
    ]

    static let batchAnswer: JSON = [
        "type": "object", "required": ["jobs"],
        "properties": [
            "jobs": list([
                "type": "object",
                "properties": ["id": uuid, "existing": ["type": "boolean"], "error": reference("Problem")],
            ])
        ],
    ]

    static let filters: JSON = [
        "type": "object", "additionalProperties": false, "minProperties": 1,
        "properties": [
            "status": several(status), "service": several(text()), "owner_service": text(), "owner_ref": text(1024),
            "task_type": several(text()), "model_profile": text(), "worker_id": text(), "task_id": uuid,
            "created_from": moment, "created_to": moment,
        ],
    ]

    static let counts: JSON = [
        "type": "object", "required": ["matched", "changed"], "properties": ["matched": number, "changed": number],
    ]

    static func list(_ items: JSON) -> JSON { ["type": "array", "items": items] }

    private static func several(_ one: JSON) -> JSON {
        ["anyOf": [one, ["type": "array", "items": one, "minItems": 1, "maxItems": 100]]]
    }
}
