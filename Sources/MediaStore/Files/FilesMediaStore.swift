// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto
public import MediaStore
public import Plumbing
internal import Synchronization

/// Media in a folder of this machine, for a mesh without an S3 server.
///
/// Presigned URLs point at the App API, which serves them after ``verify(method:path:query:now:)``.
public struct FilesMediaStore: MediaStore {
    private static let chunk = 256 * 1024
    private let bucket: String
    private let shelves: [MediaShelf]
    private let signature: MediaSignature

    /// Makes a store.
    ///
    /// - Parameters:
    ///   - folder: where the media lies; made when it is first needed.
    ///   - bucket: the name that references carry.
    ///   - baseURL: the public address of the App API, such as `http://localhost:8007`.
    ///   - secret: the key of the presigned URLs, at least 16 random bytes.
    public init(folder: String, bucket: String, baseURL: String, secret: [UInt8]) {
        self.bucket = bucket
        // Several threads, so that one slow sync does not hold up every reader.
        shelves = (0..<4).map { _ in MediaShelf(folder: folder) }
        signature = MediaSignature(base: baseURL, bucket: bucket, secret: secret)
    }

    /// Stores an original under its SHA-256; one that is there already is left alone.
    public func storeOriginal(
        _ bytes: ByteStream,
        contentType: String,
        limit: Int
    ) async throws(MediaError) -> StoredMedia {
        let type = MediaNaming.isHeaderValue(contentType) ? contentType : "application/octet-stream"
        return try await write(bytes, key: nil, contentType: type, origin: nil, limit: limit)
    }

    /// Stores bytes under a key; what was there is replaced when the last byte is in.
    public func store(
        _ bytes: ByteStream,
        key: String,
        contentType: String,
        origin: MediaReference?,
        limit: Int
    ) async throws(MediaError) -> StoredMedia {
        guard MediaReference.isKey(key) else { throw MediaError(.invalid, "the key is not a proper one") }
        guard MediaNaming.isHeaderValue(contentType) else {
            throw MediaError(.invalid, "the content type is not a proper one")
        }
        return try await write(bytes, key: key, contentType: contentType, origin: origin, limit: limit)
    }

    /// Reads media from `offset` on.
    public func read(_ reference: MediaReference, offset: Int) async throws(MediaError) -> MediaContent {
        try check(reference)
        let shelf = self.shelf(for: reference.key)
        guard let (file, attributes) = try await shelf.open(reference.key) else {
            throw MediaError(.notFound, "there is no \(reference)")
        }
        guard (0...attributes.size).contains(offset) else {
            throw MediaError(.invalid, "the offset lies beyond the \(attributes.size) bytes")
        }
        let position = Position(offset)
        let stream = ByteStream {
            let bytes = try await shelf.read(file, at: position.value.withLock { $0 }, count: Self.chunk)
            position.value.withLock { $0 += bytes.count }
            return bytes.isEmpty ? nil : bytes
        }
        return MediaContent(attributes: attributes, bytes: stream)
    }

    /// Looks media up.
    public func stat(_ reference: MediaReference) async throws(MediaError) -> MediaAttributes? {
        try check(reference)
        return try await shelf(for: reference.key).open(reference.key)?.attributes
    }

    /// A URL of the App API for reading.
    public func presignedGet(_ reference: MediaReference, expiresIn: Duration) throws(MediaError) -> String {
        try check(reference)
        return try signature.url(method: "GET", key: reference.key, expiresIn: expiresIn, now: .now)
    }

    /// A URL of the App API for writing.
    public func presignedPut(
        key: String,
        expiresIn: Duration
    ) throws(MediaError) -> (url: String, reference: MediaReference) {
        let url = try signature.url(method: "PUT", key: key, expiresIn: expiresIn, now: .now)
        return (url, MediaReference(bucket: bucket, key: key))
    }

    /// Tells which media a request with a presigned URL may touch.
    ///
    /// - Parameters:
    ///   - method: the request's method.
    ///   - path: the request's path from `/media/` on, percent-encoded as it came.
    ///   - query: the request's query as it came, without the question mark.
    ///   - now: the moment that decides whether the URL has expired.
    /// - Throws: `refused` for a wrong signature, another method and an expired URL; `invalid` for another path.
    public func verify(
        method: String,
        path: String,
        query: String,
        now: Timestamp = .now
    ) throws(MediaError) -> MediaReference {
        try signature.verify(method: method, path: path, query: query, now: now)
    }

    /// Deletes media.
    public func delete(_ reference: MediaReference) async throws(MediaError) {
        try check(reference)
        try await shelf(for: reference.key).delete(reference.key)
    }

    /// Makes sure that the folder can be written to.
    public func ping() async throws(MediaError) {
        try await shelves[0].ping()
    }

    private func write(
        _ bytes: ByteStream,
        key: String?,
        contentType: String,
        origin: MediaReference?,
        limit: Int
    ) async throws(MediaError) -> StoredMedia {
        let shelf = self.shelf(for: key ?? "\(MeshID())")
        let file = try await shelf.begin()
        do {
            var hash = SHA256()
            var size = 0
            for try await chunk in bytes {
                size += chunk.count
                guard size <= limit else { throw MediaError(.tooLarge, "there are more than \(limit) bytes") }
                chunk.withUnsafeBytes { hash.update(bufferPointer: $0) }
                try await shelf.write(chunk, to: file)
            }
            // A cancelled reader sees the end of a stream: half of the media must not become the whole.
            try Task.checkCancellation()
            let digest = MediaNaming.hexadecimal(hash.finalize())
            let name = key ?? MediaNaming.original(sha256: digest, contentType: contentType)
            let sidecar = MediaSidecar(key: name, contentType: contentType, origin: origin?.description)
            try await shelf.keep(file, as: sidecar, keepingExisting: key == nil)
            return StoredMedia(
                reference: MediaReference(bucket: bucket, key: name),
                sha256: digest,
                size: size
            )
        } catch {
            await shelf.discard(file)
            throw MediaNaming.error(from: error)
        }
    }

    private func shelf(for key: String) -> MediaShelf {
        shelves[Int(key.utf8.reduce(0 as UInt32) { $0 &* 31 &+ UInt32($1) } % UInt32(shelves.count))]
    }

    private func check(_ reference: MediaReference) throws(MediaError) {
        guard reference.bucket == bucket else {
            throw MediaError(.invalid, "the reference names another bucket than this store's")
        }
        guard MediaReference.isKey(reference.key) else { throw MediaError(.invalid, "the key is not a proper one") }
    }
}

/// How far a reader has come.
private final class Position: Sendable {
    let value: Mutex<Int>

    init(_ value: Int) {
        self.value = Mutex(value)
    }
}
