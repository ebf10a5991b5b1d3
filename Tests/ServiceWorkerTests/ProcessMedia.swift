// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MediaStore
import Plumbing
import Synchronization

/// Media in memory.
final class ProcessMedia: MediaStore {
    struct Entry {
        var bytes: [UInt8]
        var type: String
        var origin: MediaReference?
    }

    let entries = Mutex<[MediaReference: Entry]>([:])
    /// How many more writes find the store away.
    let outages = Mutex(0)

    func put(_ key: String, _ bytes: [UInt8]) {
        entries.withLock { $0[MediaReference(bucket: "b", key: key)] = Entry(bytes: bytes, type: "image/png") }
    }

    func storeOriginal(
        _ bytes: ByteStream,
        contentType: String,
        limit: Int
    ) async throws(MediaError) -> StoredMedia {
        try await store(bytes, key: "originals/x", contentType: contentType, origin: nil, limit: limit)
    }

    func store(
        _ bytes: ByteStream,
        key: String,
        contentType: String,
        origin: MediaReference?,
        limit: Int
    ) async throws(MediaError) -> StoredMedia {
        let isAway = outages.withLock { left in
            defer { left = max(0, left - 1) }
            return left > 0
        }
        if isAway { throw MediaError(.unavailable, "away") }
        var all: [UInt8] = []
        do {
            for try await piece in bytes { all += piece }
        } catch {
            throw MediaError(.unavailable, "\(error)")
        }
        guard all.count <= limit else { throw MediaError(.tooLarge, "more than \(limit) bytes") }
        let reference = MediaReference(bucket: "b", key: key)
        let entry = Entry(bytes: all, type: contentType, origin: origin)
        entries.withLock { $0[reference] = entry }
        return StoredMedia(reference: reference, sha256: "00", size: all.count)
    }

    func read(_ reference: MediaReference, offset: Int) async throws(MediaError) -> MediaContent {
        guard let entry = entries.withLock({ $0[reference] }) else {
            throw MediaError(.notFound, "there is no \(reference)")
        }
        let bytes = ByteStream { stream in
            for start in stride(from: offset, to: entry.bytes.count, by: 100_000) {
                stream.yield(Array(entry.bytes[start..<min(start + 100_000, entry.bytes.count)]))
            }
            stream.finish()
        }
        return MediaContent(
            attributes: MediaAttributes(size: entry.bytes.count, contentType: entry.type),
            bytes: bytes
        )
    }

    func stat(_ reference: MediaReference) async throws(MediaError) -> MediaAttributes? {
        entries.withLock { $0[reference] }.map { MediaAttributes(size: $0.bytes.count, contentType: $0.type) }
    }

    func presignedGet(_ reference: MediaReference, expiresIn: Duration) throws(MediaError) -> String { "http://x" }

    func presignedPut(
        key: String,
        expiresIn: Duration
    ) throws(MediaError) -> (url: String, reference: MediaReference) {
        ("http://x", MediaReference(bucket: "b", key: key))
    }

    func delete(_ reference: MediaReference) async throws(MediaError) {}

    func ping() async throws(MediaError) {}
}
