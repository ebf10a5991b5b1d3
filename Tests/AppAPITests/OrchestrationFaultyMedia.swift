// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MediaStore
import MediaStoreFiles
import Plumbing
import Synchronization
import Workflow

/// A media store of files whose reads can be made to fail or to stand still.
final class FaultyMedia: MediaStore {
    enum Mood: Sendable {
        case well
        case away
        case stuck
    }

    private struct State {
        var mood = Mood.well
        var stuck: [OneShot<Void>] = []
    }

    let files = FilesMediaStore(
        folder: FileManager.default.temporaryDirectory.appendingPathComponent("malla-faulty-media-\(MeshID())").path,
        bucket: "media",
        baseURL: "http://localhost",
        secret: Array("0123456789abcdef".utf8)
    )
    /// One element for every read that was asked for.
    let reads: AsyncStream<MediaReference>
    private let sink: AsyncStream<MediaReference>.Continuation
    private let state = Mutex(State())

    init() { (reads, sink) = AsyncStream.makeStream() }

    /// A stream of one chunk.
    static func stream(_ bytes: [UInt8]) -> ByteStream {
        ByteStream { continuation in
            continuation.yield(bytes)
            continuation.finish()
        }
    }

    /// Changes how reads go; those that stand still go on.
    func become(_ mood: Mood) {
        let stuck = state.withLock { state in
            state.mood = mood
            defer { state.stuck = [] }
            return state.stuck
        }
        for one in stuck { one.finish(.success(())) }
    }

    func read(_ reference: MediaReference, offset: Int) async throws(MediaError) -> MediaContent {
        let turn = OneShot<Void>()
        let mood = state.withLock { state in
            if state.mood == .stuck { state.stuck.append(turn) }
            return state.mood
        }
        sink.yield(reference)
        switch mood {
        case .well: break
        case .away: throw MediaError(.unavailable, "away")
        case .stuck: do { try await turn.value() } catch { throw MediaError(.unavailable, "cancelled") }
        }
        return try await files.read(reference, offset: offset)
    }

    func storeOriginal(
        _ bytes: ByteStream,
        contentType: String,
        limit: Int
    ) async throws(MediaError) -> StoredMedia {
        try await files.storeOriginal(bytes, contentType: contentType, limit: limit)
    }

    func store(
        _ bytes: ByteStream,
        key: String,
        contentType: String,
        origin: MediaReference?,
        limit: Int
    ) async throws(MediaError) -> StoredMedia {
        try await files.store(bytes, key: key, contentType: contentType, origin: origin, limit: limit)
    }

    func stat(_ reference: MediaReference) async throws(MediaError) -> MediaAttributes? {
        try await files.stat(reference)
    }

    func presignedGet(_ reference: MediaReference, expiresIn: Duration) throws(MediaError) -> String {
        try files.presignedGet(reference, expiresIn: expiresIn)
    }

    func presignedPut(
        key: String,
        expiresIn: Duration
    ) throws(MediaError) -> (url: String, reference: MediaReference) {
        try files.presignedPut(key: key, expiresIn: expiresIn)
    }

    func delete(_ reference: MediaReference) async throws(MediaError) { try await files.delete(reference) }

    func ping() async throws(MediaError) { try await files.ping() }
}
