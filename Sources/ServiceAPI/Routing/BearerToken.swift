// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Crypto
import HTTPTypes
import Hummingbird
import Plumbing

/// Checks `Authorization: Bearer <token>` (or the raw token) against several tokens, in constant time.
struct BearerToken {
    let accepted: [String]

    /// Refuses a request without one of the tokens.
    func check(_ request: Request) throws(Problem) {
        guard let header = request.headers[.authorization] else {
            throw Problem(.unauthorized, "send 'Authorization: Bearer <token>'", field: "Authorization")
        }
        let bare = header.lowercased().hasPrefix("bearer ") ? header.dropFirst(7) : header[...]
        let token = bare.drop { $0 == " " }
        // Digests have one length, and each comparison looks at all of it, so timing tells nothing of a token.
        let digest = SHA256.hash(data: Array(token.utf8))
        let matches = accepted.reduce(false) { found, candidate in
            let isEqual = SHA256.hash(data: Array(candidate.utf8)) == digest
            return found || isEqual
        }
        guard matches else {
            throw Problem(.unauthorized, "the bearer token is not valid here", field: "Authorization")
        }
    }
}
