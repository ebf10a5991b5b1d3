// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import HTTPTypes
import Hummingbird

/// Says who makes a call, and refuses those who may not.
struct AccessCheck: Sendable {
    /// The tokens of the job API; none leaves it open.
    let service: NamedTokens
    /// The tokens of App APIs; none refuses every hand-over.
    let mesh: NamedTokens
    /// Stands in for those that it names, and may change at any time.
    var file: TokensFile?

    /// The name of the caller's token; nil where none is needed.
    ///
    /// - Throws: ``Problem``: 401 without one of the tokens, 403 where no token would help.
    func caller(of request: Request, for access: APIRoute.Access) throws(Problem) -> String? {
        let service = file?.tokens(.service) ?? service
        let mesh = file?.tokens(.mesh) ?? mesh
        switch access {
        case .open: return nil
        case .service: return service.isEmpty ? nil : try name(in: service, request)
        case .mesh:
            guard !mesh.isEmpty else {
                throw Problem(
                    .forbidden,
                    "this Service API takes no hand-overs: set MESH_TOKEN to the App API's"
                )
            }
            return try name(in: mesh, request)
        }
    }

    private func name(in tokens: NamedTokens, _ request: Request) throws(Problem) -> String {
        guard let header = request.headers[.authorization] else {
            throw Problem(.unauthorized, "send 'Authorization: Bearer <token>'", field: "Authorization")
        }
        guard let name = tokens.name(ofAuthorization: header) else {
            throw Problem(.unauthorized, "the bearer token is not valid here", field: "Authorization")
        }
        return name
    }
}
