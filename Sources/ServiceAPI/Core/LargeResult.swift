// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MediaStore
import Workflow

/// Puts a result into the media store that is too large to travel in a message.
struct LargeResult: Sendable {
    let media: any MediaStore

    /// Stores a large result; nil for one that may travel.
    func store(_ result: [UInt8], lease: LeaseID) async throws -> Completion.StoredResult? {
        guard result.count > Completion.inlineLimit else { return nil }
        let stream = ByteStream { continuation in
            continuation.yield(result)
            continuation.finish()
        }
        let stored = try await media.store(
            stream,
            key: Completion.mediaKey(of: lease),
            contentType: "application/json",
            origin: nil,
            limit: result.count
        )
        return Completion.StoredResult(reference: stored.reference.description, size: stored.size)
    }
}
