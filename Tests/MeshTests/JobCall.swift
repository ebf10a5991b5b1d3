// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Plumbing
import Testing
import Workflow

/// A client of a Service API.
struct JobCall: Sendable {
    let base: String
    let token: String
    let transfer = CurlTransfer()

    /// Sends a request and returns the JSON of an answer of 200 or 201.
    func send(_ method: String, _ path: String, _ body: JSON? = nil) async throws -> JSON {
        let answer = try await transfer.send(
            TransferRequest(
                method,
                base + path,
                headers: [("authorization", "Bearer \(token)"), ("content-type", "application/json")],
                body: body.map { .bytes($0.bytes) } ?? .none,
                timeout: .seconds(60)
            )
        )
        guard [200, 201].contains(answer.head.status) else {
            let text = String(decoding: answer.body, as: UTF8.self)
            throw MallaCall.Unexpected(description: "\(method) \(path): \(answer.head.status) \(text)")
        }
        return try JSON(parsing: answer.body)
    }

    /// Creates a job and returns its id.
    func create(_ body: JSON) async throws -> String {
        try #require(try await send("POST", "/api/v1/jobs", body)["id"]?.string)
    }

    /// Waits until a job has ended; an API that is away is asked again.
    func end(_ id: String, within limit: Duration = .seconds(30)) async throws -> JSON {
        let ended = try await until(limit) { () -> [JSON]? in
            guard let job = try? await send("GET", "/api/v1/jobs/\(id)") else { return nil }
            return ["completed", "failed", "cancelled"].contains(job["status"]?.string) ? [job] : nil
        }
        return try #require(ended?.first, "job \(id) has not ended within \(limit)")
    }
}
