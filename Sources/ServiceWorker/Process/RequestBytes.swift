// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import NIOCore

/// The body of a request, read piece by piece as the store takes it.
///
/// `@unchecked Sendable`: the stream that is made of it asks for the next piece only after the last has been given,
/// so no two threads are ever in the iterator at once.
final class RequestBytes: @unchecked Sendable {
    private var iterator: RequestBody.AsyncIterator

    init(_ body: RequestBody) {
        iterator = body.makeAsyncIterator()
    }

    /// The next piece; nil at the end.
    func next() async throws -> [UInt8]? {
        try await iterator.next().map { Array($0.readableBytesView) }
    }
}
