// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Explain
import Hummingbird
import Plumbing
import Workflow

/// "Why is it not done?", for jobs and tasks.
struct ExplainRoutes: Sendable {
    let explainer: Explainer

    init(parts: ServiceParts, services: [String: ServiceDefinition]) {
        explainer = Explainer(
            ledger: parts.ledger,
            broker: parts.broker,
            results: parts.results,
            media: parts.media,
            services: services
        )
    }

    var routes: [APIRoute] {
        [
            APIRoute(
                method: .get,
                path: "/api/v1/jobs/{id}/explain",
                tag: "jobs",
                summary: "Why a job is where it is, in words and fields; the id of a task explains the task.",
                parameters: [
                    .init(
                        name: "id",
                        place: .path,
                        schema: ["type": "string", "format": "uuid"],
                        text: "The id of a job or a task.",
                        isRequired: true
                    )
                ],
                answers: [
                    .init(status: .ok, text: "The explanation.", schema: Self.schema),
                    .init(status: .notFound, text: "There is neither a job nor a task of that id."),
                ],
                handle: { request, context in try await explain(try context.parameters.require("id")) }
            )
        ]
    }

    private func explain(_ text: String) async throws -> Response {
        guard let id = MeshID(text) else {
            throw Problem(.notFound, "'\(text.prefix(64))' is not the id of a job or task: a UUID is", field: "id")
        }
        guard let explanation = try await explainer.explain(id) else {
            throw Problem(
                .notFound,
                "there is neither a job nor a task '\(id)'; finished ones are deleted after a while",
                field: "id"
            )
        }
        return .json(explanation.json)
    }

    private static let causes = JSON.array(Explanation.Cause.allCases.map { .string($0.rawValue) })

    private static let schema: JSON = [
        "type": "object",
        "required": ["kind", "id", "status", "since", "cause", "explanation", "servers_down"],
        "properties": [
            "kind": ["enum": ["job", "task"]], "id": ["type": "string", "format": "uuid"],
            "status": ["type": "string"], "since": ["type": "string", "format": "date-time"],
            "cause": ["enum": causes], "explanation": ["type": "string"], "service": ["type": "string"],
            "queue": ["type": "object"], "workers": ["type": "array"], "attempts": ["type": "array"],
            "stages": ["type": "array"], "jobs": ["type": "array"], "servers_down": ["type": "object"],
        ],
    ]
}
