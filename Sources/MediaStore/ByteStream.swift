// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Bytes that arrive in chunks, to be read once.
public typealias ByteStream = AsyncThrowingStream<[UInt8], any Error>

extension AsyncThrowingStream where Element == [UInt8], Failure == any Error {
    /// The pieces of a sequence that may be read only once, such as a body of HTTP, each read when it is asked for.
    ///
    /// - Parameter onFailure: is told of the error that ends the sequence, before the reader is.
    public init<Pieces: AsyncSequence>(
        reading pieces: Pieces,
        onFailure: @escaping @Sendable (any Error) -> Void = { _ in }
    ) where Pieces.Element == [UInt8], Pieces.AsyncIterator: SendableMetatype {
        // Safe: a stream that unfolds asks for one element at a time, and nobody else has the iterator.
        nonisolated(unsafe) var iterator = pieces.makeAsyncIterator()
        self.init {
            do { return try await iterator.next() } catch {
                onFailure(error)
                throw error
            }
        }
    }
}
