// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto
internal import Foundation
internal import MediaStore

/// Cuts a stream into parts of 5 MiB, counts and hashes it on the way.
actor S3Cutter {
    private var iterator: ByteStream.AsyncIterator
    private let limit: Int
    /// The part that is being filled.
    private var part: [UInt8] = []
    /// What was read beyond it.
    private var rest: ArraySlice<UInt8> = []
    private var isAtEnd = false
    private var hash = SHA256()
    private(set) var size = 0

    init(_ bytes: ByteStream, limit: Int) {
        iterator = bytes.makeAsyncIterator()
        self.limit = limit
    }

    /// Whether nothing follows what was handed out.
    func hasEnded() -> Bool { isAtEnd && part.isEmpty && rest.isEmpty }

    /// The next part: 5 MiB, the last one less; nil at the end.
    ///
    /// The first one may be empty.
    func next() async throws -> [UInt8]? {
        fill()
        while !isAtEnd, rest.isEmpty {
            var source = iterator
            guard let chunk = try await source.next(isolation: self) else {
                // A cancelled reader sees the end of a stream: half of the media must not become the whole.
                try Task.checkCancellation()
                isAtEnd = true
                break
            }
            size += chunk.count
            guard size <= limit else { throw MediaError(.tooLarge, "there are more than \(limit) bytes") }
            chunk.withUnsafeBytes { hash.update(bufferPointer: $0) }
            rest = chunk[...]
            fill()
        }
        guard !part.isEmpty else { return nil }
        defer { part = [] }
        return part
    }

    /// Moves what fits from the rest into the part; a first piece, often all there is, takes no room for a whole part.
    private func fill() {
        guard !rest.isEmpty else { return }
        if !part.isEmpty { part.reserveCapacity(S3Upload.partSize) }
        let count = min(rest.count, S3Upload.partSize - part.count)
        part += rest.prefix(count)
        rest = rest.dropFirst(count)
    }

    /// The SHA-256 of everything that was handed out, in hexadecimal; call it once, at the end.
    func digest() -> String { MediaNaming.hexadecimal(hash.finalize()) }
}
