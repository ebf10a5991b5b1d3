// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
public import Hummingbird
import NIOCore
public import Workflow

/// A refused request as problem details (RFC 9457).
public struct Problem: Error, Sendable, HTTPResponseError {
    /// The HTTP status.
    public var status: HTTPResponse.Status
    /// What is wrong and what would be right.
    public var detail: String
    /// The wrong field, when there is one.
    public var field: String?
    /// When to come back, in whole seconds.
    public var retryAfter: Int?
    /// The methods that the path takes, for 405.
    public var allow: String?
    /// Further members of the answer, by name.
    public var members: [(name: String, value: JSON)] = []

    /// Makes a problem.
    public init(_ status: HTTPResponse.Status, _ detail: String, field: String? = nil, retryAfter: Int? = nil) {
        self.status = status
        self.detail = detail
        self.field = field
        self.retryAfter = retryAfter
    }

    /// The problem as JSON.
    var json: JSON {
        var json: JSON = [
            "type": "about:blank", "title": .string(status.reasonPhrase), "status": .number(JSONNumber(status.code)),
            "detail": .string(detail),
        ]
        if let field { json = json.adding("field", .string(field)) }
        for member in members { json = json.adding(member.name, member.value) }
        return json
    }

    /// The answer: `application/problem+json`; in the RunPod dialect `application/json` with `error`.
    public func response(from request: Request, context: some RequestContext) throws -> Response {
        var status = status
        var json = json
        var headers: HTTPFields = [.contentType: "application/problem+json"]
        if Self.isRunPod(request.uri.path) {
            (status, json) = runPod(path: request.uri.path)
            headers[.contentType] = "application/json"
        }
        if let retryAfter { headers[.retryAfter] = String(retryAfter) }
        if let allow { headers[.allow] = allow }
        // RFC 9110, section 15.5.2: a 401 names the scheme.
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: json.bytes)))
    }
}

extension Response {
    /// An answer of JSON.
    static func json(_ json: JSON, status: HTTPResponse.Status = .ok) -> Response {
        Self.json(ByteBuffer(bytes: json.bytes), status: status)
    }

    /// An answer of JSON that is written already.
    static func json(_ bytes: ByteBuffer, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json; charset=utf-8"],
            body: .init(byteBuffer: bytes)
        )
    }
}
