// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Plumbing
import Testing
import Workflow

/// A client of the App API, as one user.
struct MallaCall: Sendable {
    /// A refused or unexpected answer.
    struct Unexpected: Error, CustomStringConvertible {
        let description: String
    }

    let base: String
    let token: String
    var user = "mesh-user"
    let transfer = CurlTransfer()

    /// Hands in a task and returns its id.
    func call(_ app: String, _ method: String, _ payload: JSON) async throws -> String {
        let answer = try await send("POST", "/\(app)/call", body: ["method": .string(method), "payload": payload])
        return try #require(answer["response"]?["taskId"]?.string, "\(answer.text)")
    }

    /// The task's envelope as it is now.
    func result(_ app: String, _ task: String) async throws -> JSON {
        try await send("GET", "/\(app)/result/\(task)")
    }

    /// Waits until the task has ended and returns its envelope; an App API that is away is asked again.
    func end(_ app: String, _ task: String, within limit: Duration = .seconds(30)) async throws -> JSON {
        var last = "never answered"
        let ended = try await until(limit) { () -> Ended? in
            do {
                let answer = try await result(app, task)
                last = answer.text
                let status = answer["errorCode"]?["status"]?.string ?? ""
                return status.hasSuffix("_001") || status.hasSuffix("_002") ? nil : Ended(envelope: answer)
            } catch {
                last = "\(error)"
                return nil
            }
        }
        guard let ended else { throw Unexpected(description: "task \(task) has not ended after \(limit): \(last)") }
        return ended.envelope
    }

    /// An envelope that is there; `JSON` itself reads `nil` as its null.
    private struct Ended { let envelope: JSON }

    /// The user's numbers.
    func stats(_ app: String) async throws -> JSON {
        try #require(try await send("POST", "/\(app)/stats", body: [:])["response"])
    }

    /// Uploads a file as a client does, and returns the reference for payloads.
    func upload(_ name: String, _ bytes: [UInt8], type: String) async throws -> String {
        let answer = try await send("POST", "/upload?s3_key=\(name)")
        let url = try #require(answer["data"]?["presignedUrl"]?.string, "\(answer.text)")
        let reference = try #require(answer["data"]?["reference"]?.string, "\(answer.text)")
        let put = try await transfer.send(
            TransferRequest("PUT", url, headers: [("content-type", type)], body: .bytes(bytes))
        )
        guard put.head.status == 200 else {
            throw Unexpected(description: "PUT \(url): \(put.head.status) \(String(decoding: put.body, as: UTF8.self))")
        }
        return reference
    }

    /// The bytes at a URL.
    func download(_ url: String) async throws -> [UInt8] {
        let answer = try await transfer.send(TransferRequest("GET", url, answerLimit: 16 << 20))
        guard answer.head.status == 200 else { throw Unexpected(description: "GET \(url): \(answer.head.status)") }
        return answer.body
    }

    /// Sends a request and returns the JSON of a 200.
    func send(_ method: String, _ path: String, body: JSON? = nil, at other: String? = nil) async throws -> JSON {
        let headers = [
            ("x-marketplace-token", token), ("x-request-id", "\(MeshID())"), ("x-user-id", user),
            ("x-user-role", "user"), ("content-type", "application/json"),
        ].map { (name: $0.0, value: $0.1) }
        let answer = try await transfer.send(
            TransferRequest(
                method,
                (other ?? base) + path,
                headers: headers,
                body: body.map { .bytes($0.bytes) } ?? .none
            )
        )
        guard answer.head.status == 200 else {
            let text = String(decoding: answer.body, as: UTF8.self)
            throw Unexpected(description: "\(method) \(path): \(answer.head.status) \(text)")
        }
        return try JSON(parsing: answer.body)
    }
}

/// Asks until there is an answer, at most for so long; nil when there was none.
func until<Value>(_ limit: Duration, _ ask: () async throws -> Value?) async throws -> Value? {
    let deadline = ContinuousClock.now + limit
    while true {
        if let value = try await ask() { return value }
        guard ContinuousClock.now < deadline else { return nil }
        try await Task.sleep(for: .milliseconds(50))
    }
}
