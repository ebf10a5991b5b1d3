// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import NIOCore
import Workflow

extension Request {
    /// The whole body as JSON, whatever its content type says: the RunPod package sends JSON as a form.
    ///
    /// - Throws: ``Problem`` when it is too large, breaks off or is not JSON. An empty body is nil.
    func json(upTo limit: Int) async throws(Problem) -> JSON? {
        let bytes = try await bytes(upTo: limit)
        guard !bytes.isEmpty else { return nil }
        do throws(JSONError) {
            return try JSON(parsing: bytes)
        } catch {
            throw Problem(.badRequest, "the body is not JSON: \(error.message) at byte \(error.offset)")
        }
    }

    /// The whole body as a JSON object.
    ///
    /// - Throws: ``Problem``, also when it is empty or something else.
    func object(upTo limit: Int) async throws(Problem) -> JSON {
        guard let json = try await json(upTo: limit), json.object != nil else {
            throw Problem(.badRequest, "send a JSON object as the body")
        }
        return json
    }

    /// The whole body.
    func bytes(upTo limit: Int) async throws(Problem) -> [UInt8] {
        let tooLarge = Problem(.contentTooLarge, "the body has more than \(limit) bytes")
        // Refused before it comes; a length that is no Int is a larger one.
        if let length = headers[.contentLength], Int(length).map({ $0 > limit }) ?? true { throw tooLarge }
        do {
            return Array(try await body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        } catch {
            throw Problem(.badRequest, "the body broke off before its end")
        }
    }
}
