// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Workflow

/// What the calls of RunPod's clients take and answer, as JSON Schema.
enum RunPodClientSchemas {
    static let endpoint = APIRoute.Parameter(
        name: "endpoint",
        place: .path,
        text: "The name of a service.",
        isRequired: true
    )

    static let id = APIRoute.Parameter(name: "id", place: .path, text: "The id of a job.", isRequired: true)

    static let wait = APIRoute.Parameter(
        name: "wait",
        schema: ["type": "integer", "minimum": 1000, "maximum": 300_000, "default": 90_000],
        text: "How long to wait for the end, in milliseconds; what lies beyond the limits counts as the limit."
    )

    static let timeToLive = APIRoute.Parameter(
        name: "ttl",
        schema: ["type": "integer"],
        text: "Taken for RunPod's sake and passed over."
    )

    private static let text: JSON = ["type": ["string", "null"]]

    static let submission: JSON = [
        "type": "object", "required": ["input"],
        "properties": [
            "input": ["description": "What the handler works on; also S-CONTRACT v2.1 or GRACE's form."],
            "webhook": ["type": ["string", "null"], "description": "Where the end is posted."],
            "webhookV2": text,
            "policy": [
                "type": ["object", "null"],
                "properties": [
                    "executionTimeout": [
                        "type": ["integer", "null"], "minimum": 5000, "maximum": 604_800_000,
                        "description": "The limit of the run in milliseconds; the service's own when it is missing.",
                    ],
                    "ttl": [
                        "type": ["integer", "null"], "minimum": 10_000, "maximum": 604_800_000,
                        "default": 86_400_000,
                        "description": "The life of the job from its submission, in milliseconds.",
                    ],
                    "lowPriority": ["type": ["boolean", "null"], "description": "Whether others come first."],
                ],
            ],
            "s3Config": [
                "type": ["object", "null"], "description": "Handed to the handler as it is.",
                "properties": [
                    "accessId": text, "accessSecret": text, "bucketName": text, "endpointUrl": text,
                    "objectPath": text,
                ],
            ],
        ],
    ]

    private static let states: JSON = [
        "enum": .array(RunPodStatus.State.allCases.map { .string($0.rawValue) })
    ]

    static let status: JSON = [
        "type": "object", "required": ["id", "status"],
        "properties": [
            "id": ["type": "string", "format": "uuid"], "status": states,
            "delayTime": ["type": "integer", "description": "Milliseconds from the submission to the last start."],
            "executionTime": ["type": "integer", "description": "Milliseconds of the run."],
            "output": ["description": "What the handler returned; while it runs, what it told last."],
            "error": ["type": "string"],
        ],
    ]

    static let stream: JSON = [
        "type": "object", "required": ["status", "stream"],
        "properties": [
            "status": states,
            "stream": [
                "type": "array", "items": ["type": "object", "required": ["output"], "properties": ["output": [:]]],
            ],
        ],
    ]

    static let purge: JSON = [
        "type": "object", "required": ["removed", "status"],
        "properties": ["removed": ["type": "integer"], "status": ["const": "completed"]],
    ]

    static let health: JSON = [
        "type": "object", "required": ["jobs", "workers"],
        "properties": [
            "jobs": counts(["completed", "failed", "inProgress", "inQueue", "retried"]),
            "workers": counts(["idle", "initializing", "ready", "running", "throttled", "unhealthy"]),
        ],
    ]

    private static let error: JSON = [
        "type": "object", "required": ["error"], "properties": ["error": ["type": "string"]],
    ]

    /// What every call may be refused with, besides what the access and the limits say.
    static func refusals(_ hasBody: Bool) -> [APIRoute.Answer] {
        var answers: [APIRoute.Answer] = [
            .init(status: .badRequest, text: "Something in the call is wrong; 'error' says what.", schema: error),
            .init(status: .unauthorized, text: "The token is missing or wrong.", schema: error),
            .init(status: .notFound, text: "There is no such endpoint or job.", schema: error),
            .init(status: .tooManyRequests, text: "A limit is reached; see Retry-After.", schema: error),
        ]
        if hasBody { answers.append(.init(status: .contentTooLarge, text: "The body is too large.", schema: error)) }
        return answers
    }

    private static func counts(_ names: [String]) -> JSON {
        let properties = names.map { ($0, ["type": "integer", "minimum": 0] as JSON) }
        return [
            "type": "object", "required": .array(names.map { .string($0) }),
            "properties": .object(JSONObject(properties)),
        ]
    }
}
