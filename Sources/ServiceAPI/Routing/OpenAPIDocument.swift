// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Workflow

/// Writes the OpenAPI 3.1 document of a list of calls.
///
/// Source: https://spec.openapis.org/oas/v3.1.0
struct OpenAPIDocument: Sendable {
    let routes: [APIRoute]
    /// The schemas that the calls name by `$ref`.
    let schemas: [(name: String, schema: JSON)]

    /// The schema of that name, for a call to name.
    static func reference(_ name: String) -> JSON { ["$ref": .string("#/components/schemas/\(name)")] }

    /// The document.
    var json: JSON {
        var paths = JSONObject()
        for route in routes {
            let item = paths[route.path] ?? [:]
            paths[route.path] = item.adding(route.method.rawValue.lowercased(), operation(route))
        }
        var tags: [String] = []
        for route in routes where !tags.contains(route.tag) { tags.append(route.tag) }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Malla Service API", "version": "1",
                "description": "Jobs of AI services: create, follow, claim and complete them.",
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "tags": .array(tags.map { ["name": .string($0)] }),
            "paths": .object(paths),
            "components": [
                "schemas": .object(JSONObject(schemas.map { ($0.name, $0.schema) })),
                "securitySchemes": [
                    "service": [
                        "type": "http", "scheme": "bearer",
                        "description": "One of AI_SERVICE_TOKEN; not needed where none is configured.",
                    ],
                    "mesh": [
                        "type": "http", "scheme": "bearer",
                        "description": "MESH_TOKEN, with which App APIs hand jobs over.",
                    ],
                ],
            ],
        ]
    }

    private func operation(_ route: APIRoute) -> JSON {
        var operation: JSON = [
            "operationId": .string(Self.name(of: route)), "tags": [.string(route.tag)],
            "summary": .string(route.summary),
        ]
        if !route.parameters.isEmpty {
            operation = operation.adding("parameters", .array(route.parameters.map(Self.parameter)))
        }
        if let body = route.body {
            operation = operation.adding(
                "requestBody",
                ["required": .bool(route.isBodyRequired), "content": ["application/json": ["schema": body]]]
            )
        }
        switch route.access {
        case .open: operation = operation.adding("security", [])
        case .service: operation = operation.adding("security", [["service": []], [:]])
        case .mesh: operation = operation.adding("security", [["mesh": []]])
        }
        return operation.adding("responses", responses(route))
    }

    private func responses(_ route: APIRoute) -> JSON {
        var responses = JSONObject()
        for answer in route.answers {
            var json: JSON = ["description": .string(answer.text)]
            if let schema = answer.schema {
                json = json.adding("content", .object(JSONObject([(answer.contentType, ["schema": schema])])))
            }
            responses[String(answer.status.code)] = json
        }
        var problems: JSON = ["application/problem+json": ["schema": Self.reference("Problem")]]
        // RunPod's clients and workers read an `error`, and trust only plain JSON.
        if route.path.hasPrefix("/v2/") {
            problems = problems.adding("application/json", ["schema": ["type": "object"]])
        }
        responses["default"] = [
            "description": "What went wrong, as problem details (RFC 9457).", "content": problems,
        ]
        return .object(responses)
    }

    private static func parameter(_ parameter: APIRoute.Parameter) -> JSON {
        [
            "name": .string(parameter.name), "in": .string(parameter.place.rawValue),
            "required": .bool(parameter.isRequired || parameter.place == .path),
            "description": .string(parameter.text), "schema": parameter.schema,
        ]
    }

    private static func name(of route: APIRoute) -> String {
        let words = route.path.split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
        return ([route.method.rawValue.lowercased()[...]] + words).joined(separator: "_")
    }
}
