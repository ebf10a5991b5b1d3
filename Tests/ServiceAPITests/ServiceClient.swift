// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Plumbing
import Testing
import Workflow

/// Sends requests to a Service API as an App API or a person does.
struct ServiceClient: Sendable {
    let base: String
    private let transfer = CurlTransfer()

    init(base: String) { self.base = base }

    struct Answer: Sendable {
        let status: Int
        let json: JSON
        let text: String
        private let head: TransferHead

        init(_ response: TransferResponse) {
            head = response.head
            status = head.status
            text = String(decoding: response.body, as: UTF8.self)
            json = (try? JSON(parsing: response.body)) ?? .null
        }

        subscript(header: String) -> String? { head[header] }
        var detail: String { json["detail"]?.string ?? "" }
        var field: String? { json["field"]?.string }
        var refused: [JSON]? { json["refused"]?.array }
        /// Whether a hand-over was taken as a whole.
        var tookAll: Bool { status == 200 && refused?.isEmpty == true }

        /// Whether it is problem details of this status, with a detail in words.
        func isProblem(_ status: Int) -> Bool {
            self.status == status && head["content-type"] == "application/problem+json"
                && json["status"]?.int == status && json["title"]?.string != nil && !detail.isEmpty
        }
    }

    func send(
        _ method: String = "GET",
        _ path: String,
        _ body: [UInt8]? = nil,
        headers: [(String, String)] = [],
        authorization: String? = nil
    ) async throws -> Answer {
        let request = TransferRequest(
            method,
            base + path,
            headers: headers + (authorization.map { [("authorization", $0)] } ?? []),
            body: body.map { .bytes($0) } ?? .none,
            timeout: .seconds(40),
            answerLimit: 16 << 20
        )
        return Answer(try await transfer.send(request))
    }

    /// `POST /mesh/v1/jobs` with the right token.
    func handOver(_ json: JSON) async throws -> Answer {
        try await send("POST", "/mesh/v1/jobs", json.bytes, authorization: "Bearer mesh")
    }

    /// Hands fresh ids over.
    func handOver(_ count: Int, to service: String = "alpha", definition: String? = nil) async throws -> Answer {
        let hash = definition ?? "\(service)-1"
        let entries = (0..<count).map { _ in
            HandOver.Entry(job: MeshID(), service: service, definition: hash, trace: nil)
        }
        return try await handOver(HandOver(entries: entries).json)
    }
}
