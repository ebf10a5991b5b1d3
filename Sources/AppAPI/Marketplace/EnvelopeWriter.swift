// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Plumbing
import Workflow

/// Writes the envelope of every answer.
struct EnvelopeWriter: Sendable {
    let apiVersion: String
    let apiName: String
    let defaultPrefix: String
    let catalog: AppCatalog

    init(settings: AppSettings, catalog: AppCatalog) {
        apiVersion = settings.apiVersion
        apiName = settings.apiName
        defaultPrefix = settings.defaultPrefix
        self.catalog = catalog
    }

    /// A status code with its app's prefix: `AC_000`.
    func status(_ code: MarketplaceCode, app: String?) -> String {
        "\(catalog.prefix(of: app, fallback: defaultPrefix))_\(code.rawValue)"
    }

    /// The envelope of an answer.
    ///
    /// - Parameter duration: how long the task took so far; nil while it has not started.
    func envelope(
        requestID: String,
        traceID: String,
        duration: Duration?,
        isImmediate: Bool,
        response: JSON,
        code: MarketplaceCode,
        reason: String,
        app: String?
    ) -> JSON {
        [
            "requestId": .string(requestID), "traceId": .string(traceID), "apiVersion": .string(apiVersion),
            "service": .string(apiName), "datetime": .string(Timestamp.now.rfc3339),
            "processDuration": Self.seconds(duration), "isResponseImmediate": .bool(isImmediate),
            "extraType": "others", "response": response,
            "errorCode": ["status": .string(status(code, app: app)), "reason": .string(reason)],
        ]
    }

    /// The body of a callback, with the task at its top.
    func callback(for task: TaskEnd, response: JSON, at now: Timestamp) -> JSON {
        [
            "apiVersion": .string(apiVersion), "service": .string(apiName), "datetime": .string(now.rfc3339),
            "processDuration": Self.seconds(task.duration), "taskId": .string(task.id.description),
            "requestId": .string(task.requestID), "traceId": .string(task.traceID), "isResponseImmediate": false,
            "extraType": "others", "response": response,
            "errorCode": ["status": .string(status(task.code, app: task.app)), "reason": .string(task.reason)],
        ]
    }

    /// The answer to a refused request.
    func refusal(_ refusal: MarketplaceRefusal, context: MarketplaceContext) -> Response {
        let envelope = envelope(
            requestID: context.requestID,
            traceID: context.trace.traceID,
            duration: nil,
            isImmediate: true,
            response: [:],
            code: refusal.code,
            reason: refusal.reason,
            app: refusal.app
        )
        var response = Response(json: envelope, status: refusal.status)
        if let wait = refusal.retryAfter {
            response.headers[.retryAfter] = String(max(1, (wait.wholeMilliseconds + 999) / 1000))
        }
        return response
    }

    /// Seconds with milliseconds as the fraction; -1 before the start.
    static func seconds(_ duration: Duration?) -> JSON {
        guard let duration else { return -1 }
        return .number(JSONNumber(Double(max(0, duration.wholeMilliseconds)) / 1000))
    }
}

extension Response {
    /// An answer in JSON.
    init(json: JSON, status: HTTPResponse.Status = .ok) {
        self.init(
            status: status,
            headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes))
        )
    }
}
