// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Hummingbird
import Workflow

/// One call of the Service API: how it is reached, who may make it, what it takes and answers, and what it does.
///
/// The router and `/openapi.json` are both made from these, so that neither can tell of what the other lacks.
struct APIRoute: Sendable {
    typealias Handler = @Sendable (Request, ServiceContext) async throws -> Response

    /// Who may make a call.
    enum Access: Sendable, Hashable {
        /// Anybody: probes and metrics.
        case open
        /// Whoever shows one of the service tokens, when any is configured.
        case service
        /// An App API, by the mesh token.
        case mesh
    }

    /// A member of the path, the query or the headers.
    struct Parameter: Sendable {
        /// Where a parameter stands.
        enum Place: String, Sendable { case path, query, header }

        var name: String
        var place: Place = .query
        var schema: JSON = ["type": "string"]
        var text: String
        var isRequired = false
    }

    /// An answer that a call may give.
    struct Answer: Sendable {
        var status: HTTPResponse.Status
        var text: String
        var schema: JSON?
        var contentType = "application/json"
    }

    var method: HTTPRequest.Method
    /// The path as OpenAPI writes it, such as `/api/v1/jobs/{id}`.
    var path: String
    var access: Access = .service
    /// The group it is shown in: `jobs`, `workers`, `runpod`, `mesh`, `health`.
    var tag: String
    var summary: String
    var parameters: [Parameter] = []
    /// The schema of the body; nil for a call without one.
    var body: JSON?
    /// Whether a call without a body is refused.
    var isBodyRequired = true
    var answers: [Answer]
    /// The operation that `endpoints:` of the limits file can bound; nil for none.
    var limited: String?
    /// Whether RunPod workers make it.
    ///
    /// Their package drops a result that is refused and asks again at once after any refusal but 429, so no limit is held
    /// against these calls, and a wrong token is answered slowly.
    var isWorkerCall = false
    var handle: Handler
}
