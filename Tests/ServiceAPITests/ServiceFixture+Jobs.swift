// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

extension ServiceFixture {
    /// Services as teams that need jobs have them: chosen by task type and model profile.
    static func jobServices() throws -> [String: ServiceDefinition] {
        let strict: JSON = [
            "type": "object", "required": ["text"],
            "properties": ["text": ["type": "string"], "size": ["type": "integer", "minimum": 1]],
        ]
        let answer: JSON = ["type": "object", "properties": ["score": ["type": "number"]]]
        var services = [
            ServiceDefinition(name: "chat", engine: .remote, pricePerHour: 3.6),
            ServiceDefinition(name: "speech", engine: .native(handler: "echo", options: .null), gpus: .all),
            ServiceDefinition(
                name: "strict",
                engine: .remote,
                backlog: 5,
                input: try JSONSchema(strict),
                output: try JSONSchema(answer)
            ),
        ]
        services[0].takes = [
            .init(taskType: "llm_chat", modelProfile: "small"), .init(taskType: "call_analysis", modelProfile: "small"),
        ]
        services[1].takes = [.init(taskType: "transcription", modelProfile: "whisperx")]
        return Dictionary(uniqueKeysWithValues: services.map { ($0.name, $0) })
    }

    /// One with these services.
    static func jobs(
        serviceTokens: [String] = [],
        limits: String? = nil,
        edit: (inout ServiceSettings) -> Void = { _ in }
    ) async throws -> ServiceFixture {
        try await ServiceFixture(
            services: try jobServices(),
            serviceTokens: serviceTokens,
            limits: limits,
            edit: edit
        )
    }
}

extension ServiceDefinition {
    fileprivate init(
        name: String,
        engine: Engine,
        gpus: GPUs = .none,
        backlog: Int = 20_000,
        input: JSONSchema? = nil,
        output: JSONSchema? = nil,
        pricePerHour: Double? = nil
    ) {
        self.init(
            name: name,
            description: "",
            engine: engine,
            gpus: gpus,
            backlog: backlog,
            input: input,
            output: output,
            hash: name
        )
        self.pricePerHour = pricePerHour
    }
}

extension ServiceClient {
    func get(_ path: String) async throws -> Answer { try await send("GET", "/api/v1\(path)") }

    func post(_ path: String, _ json: JSON = [:]) async throws -> Answer {
        try await send("POST", "/api/v1\(path)", json.bytes)
    }

    /// Creates a job and returns its id.
    func create(_ type: String = "llm_chat", _ edit: (inout JSONObject) -> Void = { _ in }) async throws -> String {
        var body = JSONObject([("task_type", .string(type)), ("owner_service", "telephony")])
        edit(&body)
        let answer = try await post("/jobs", .object(body))
        try #require(answer.status == 201, "\(answer.text)")
        return try #require(answer.json["id"]?.string)
    }

    /// Claims jobs; the worker's name decides nothing but whose they are.
    func claim(_ worker: String = "w-1", _ edit: (inout JSONObject) -> Void = { _ in }) async throws -> [JSON] {
        var body = JSONObject([("worker_id", .string(worker))])
        edit(&body)
        let answer = try await post("/jobs/claim", .object(body))
        try #require(answer.status == 200, "\(answer.text)")
        return try #require(answer.json["jobs"]?.array)
    }
}
