// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Foundation
import HTTPTransfer
import Plumbing
import Workflow

/// Calls a mesh's APIs on behalf of a person at a terminal.
struct MeshClient {
    private let transfer: CurlTransfer
    private let base: String
    private let headers: [(name: String, value: String)]
    /// The variable that holds the token.
    private let tokenVariable: String

    /// A client of the App API, speaking for a user.
    static func appAPI(url: String?, user: String, role: String, configuration: MeshConfiguration) throws -> MeshClient
    {
        let secrets = DevSecrets.stored(in: configuration.text("MALLA_DATA", default: ".malla"))
        let port = try configuration.port("APP_API_PORT", default: 8007)
        guard let token = try configuration.token("MARKETPLACE_TOKEN") ?? secrets["MARKETPLACE_TOKEN"] else {
            throw ConfigurationError(
                missing: "MARKETPLACE_TOKEN",
                "the App API's token; `malla dev` keeps its own in its data folder (MALLA_DATA)"
            )
        }
        return MeshClient(
            tokenVariable: "MARKETPLACE_TOKEN",
            base: url ?? configuration.text("MALLA_URL", default: "http://127.0.0.1:\(port)"),
            headers: [
                ("x-marketplace-token", token), ("x-user-id", user), ("x-user-role", role),
                ("content-type", "application/json"),
            ]
        )
    }

    /// A client of the Service API.
    static func serviceAPI(url: String?, configuration: MeshConfiguration) throws -> MeshClient {
        let secrets = DevSecrets.stored(in: configuration.text("MALLA_DATA", default: ".malla"))
        let port = try configuration.port("HTTP_PORT", default: 8080)
        let token = try configuration.token("AI_SERVICE_TOKEN") ?? secrets["AI_SERVICE_TOKEN"]
        return MeshClient(
            tokenVariable: "AI_SERVICE_TOKEN",
            base: url ?? configuration.text("SERVICE_API_URL", default: "http://127.0.0.1:\(port)"),
            headers: token.map { [("authorization", "Bearer \($0)")] } ?? []
        )
    }

    private init(tokenVariable: String, base: String, headers: [(name: String, value: String)]) {
        self.tokenVariable = tokenVariable
        transfer = CurlTransfer()
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        self.headers = headers
    }

    /// Sends a request and reads the answer's JSON.
    ///
    /// - Throws: `ExitCode` after it has told the person, when the answer is a refusal.
    func ask(_ method: String, _ path: String, body: JSON? = nil) async throws -> JSON {
        let (status, answer) = try await send(method, path, body: body)
        guard (200..<300).contains(status) else {
            Terminal.complain(refusal(status, detail: answer["detail"]?.string))
            throw ExitCode.refused(status)
        }
        return answer
    }

    /// Opens a stream of events that goes on after an event's id.
    ///
    /// - Throws: `ExitCode` after it has told the person, when the answer is a refusal; the stream throws when it breaks.
    func events(_ path: String, after id: String?) async throws -> AsyncThrowingStream<ServerSentEvent, any Error> {
        var headers = headers + [("accept", "text/event-stream")]
        if let id { headers.append(("last-event-id", id)) }
        let request = TransferRequest("GET", base + path, headers: headers, body: .none, timeout: .seconds(86_400))
        let (head, body) = try await transfer.stream(request)
        guard head.status == 200 else {
            var bytes: [UInt8] = []
            for try await chunk in body { bytes += chunk }
            let detail = (try? JSON(parsing: bytes))?["detail"]?.string
            Terminal.complain(refusal(head.status, detail: detail))
            throw ExitCode.refused(head.status)
        }
        return AsyncThrowingStream { continuation in
            let reading = Task {
                do {
                    var events = ServerSentEvents(limit: 64 << 20)
                    for try await chunk in body { for event in try events.take(chunk) { continuation.yield(event) } }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in reading.cancel() }
        }
    }

    /// What a person is told: a token comes from a variable or a folder, not from a header.
    private func refusal(_ status: Int, detail: String?) -> String {
        guard status == 401 else { return detail ?? "\(base) answered \(status)" }
        return "\(base) does not know this token: set \(tokenVariable) to the mesh's, or MALLA_DATA to the folder of "
            + "the `malla dev` that runs there"
    }

    /// Sends a request and reads the answer's JSON, whatever its status.
    func send(_ method: String, _ path: String, body: JSON? = nil) async throws -> (status: Int, json: JSON) {
        let response: TransferResponse
        do {
            response = try await transfer.send(
                TransferRequest(
                    method,
                    base + path,
                    headers: headers,
                    body: body.map { .bytes($0.bytes) } ?? .none,
                    timeout: .seconds(30),
                    answerLimit: 64 << 20
                )
            )
        } catch {
            Terminal.complain("\(base) can't be reached: \(error.reason). Is the mesh running there?")
            throw ExitCode.unreachable
        }
        guard let json = try? JSON(parsing: response.body) else {
            Terminal.complain("\(base)\(path) answered \(response.head.status) with something that is not JSON")
            throw ExitCode.failure
        }
        return (response.head.status, json)
    }
}
