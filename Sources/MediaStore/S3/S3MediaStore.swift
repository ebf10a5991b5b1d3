// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Foundation
public import HTTPTransfer
public import MediaStore
internal import Plumbing

/// Media on an S3 server.
///
/// Uploads above 5 MiB go in parts, at most three of which are in memory. Requests that meet a broken connection
/// or a 5xx are tried up to four times.
public struct S3MediaStore: MediaStore {
    private let link: S3Link

    /// Makes a store that talks through `transfer`, which has to reach the endpoint.
    public init(settings: S3Settings, transfer: any HTTPTransferring) {
        link = S3Link(settings: settings, transfer: transfer)
    }

    /// Stores an original under its SHA-256; above 5 MiB it waits in a temporary file until the hash is known.
    public func storeOriginal(
        _ bytes: ByteStream,
        contentType: String,
        limit: Int
    ) async throws(MediaError) -> StoredMedia {
        let cutter = S3Cutter(bytes, limit: limit)
        do {
            let first = try await cutter.next() ?? []
            guard await !cutter.hasEnded() else {
                let hash = await cutter.digest()
                let upload = original(hash, contentType)
                if try await !exists(upload.key, size: first.count) { try await upload.put(first, hash: hash) }
                return stored(upload.key, hash, first.count)
            }
            let spool = S3Spool(folder: link.settings.spoolFolder)
            try await spool.append(first)
            while let part = try await cutter.next() { try await spool.append(part) }
            let (hash, size) = (await cutter.digest(), await cutter.size)
            let upload = original(hash, contentType)
            if try await !exists(upload.key, size: size) {
                var offset = 0
                try await upload.putParts {
                    let part = try await spool.read(at: offset, count: S3Upload.partSize)
                    offset += part.count
                    return part.isEmpty ? nil : part
                }
            }
            return stored(upload.key, hash, size)
        } catch {
            throw MediaNaming.error(from: error)
        }
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
        let cutter = S3Cutter(bytes, limit: limit)
        let upload = S3Upload(
            link: link,
            key: key,
            contentType: contentType,
            origin: origin,
            keepsExisting: false
        )
        do {
            var first = try await cutter.next() ?? []
            if await cutter.hasEnded() {
                let hash = await cutter.digest()
                try await upload.put(first, hash: hash)
                return stored(key, hash, first.count)
            }
            try await upload.putParts {
                guard !first.isEmpty else { return try await cutter.next() }
                defer { first = [] }
                return first
            }
            return stored(key, await cutter.digest(), await cutter.size)
        } catch {
            throw MediaNaming.error(from: error)
        }
    }

    /// Reads media from `offset` on; a transfer that breaks off is taken up again.
    public func read(_ reference: MediaReference, offset: Int) async throws(MediaError) -> MediaContent {
        try check(reference)
        guard offset >= 0 else { throw MediaError(.invalid, "the offset is negative") }
        if offset > 0 {
            // A range that begins at the very end is an error to S3, and an empty rest to us.
            guard let attributes = try await stat(reference) else {
                throw MediaError(.notFound, "there is no \(reference)")
            }
            guard offset < attributes.size else {
                guard offset == attributes.size else {
                    throw MediaError(.invalid, "the offset lies beyond the \(attributes.size) bytes")
                }
                return MediaContent(attributes: attributes, bytes: ByteStream { nil })
            }
        }
        let download = S3Download(link: link, key: reference.key, offset: offset)
        try await download.open()
        return MediaContent(
            attributes: await download.attributes,
            bytes: ByteStream { try await download.next() }
        )
    }

    /// Looks media up.
    public func stat(_ reference: MediaReference) async throws(MediaError) -> MediaAttributes? {
        try check(reference)
        let answer = try await link.send("HEAD", key: reference.key)
        if answer.head.status == 404 { return nil }
        guard S3Answer.isSuccess(answer.head.status) else {
            throw S3Answer.error(status: answer.head.status, body: answer.body, key: reference.key)
        }
        guard let size = answer.head["content-length"].flatMap({ Int($0) }) else {
            throw MediaError(.unavailable, "S3 did not tell the size of \(reference)")
        }
        return MediaAttributes(size: size, contentType: answer.head["content-type"] ?? "application/octet-stream")
    }

    /// A URL for reading, at the public endpoint.
    public func presignedGet(_ reference: MediaReference, expiresIn: Duration) throws(MediaError) -> String {
        try check(reference)
        return try presigned("GET", reference.key, expiresIn)
    }

    /// A URL for writing, at the public endpoint.
    public func presignedPut(
        key: String,
        expiresIn: Duration
    ) throws(MediaError) -> (url: String, reference: MediaReference) {
        guard MediaReference.isKey(key) else { throw MediaError(.invalid, "the key is not a proper one") }
        return (
            try presigned("PUT", key, expiresIn), MediaReference(bucket: link.settings.bucket, key: key)
        )
    }

    /// Deletes media.
    public func delete(_ reference: MediaReference) async throws(MediaError) {
        try check(reference)
        let answer = try await link.send("DELETE", key: reference.key)
        guard S3Answer.isSuccess(answer.head.status) || answer.head.status == 404 else {
            throw S3Answer.error(status: answer.head.status, body: answer.body, key: reference.key)
        }
    }

    /// Looks the bucket up, once, for at most 3 seconds.
    public func ping() async throws(MediaError) {
        let answer = try await link.send("HEAD", key: nil, timeout: .seconds(3), isRetried: false)
        guard S3Answer.isSuccess(answer.head.status) else {
            throw answer.head.status == 404
                ? MediaError(.refused, "there is no bucket \(link.settings.bucket)")
                : S3Answer.error(status: answer.head.status, body: answer.body, key: nil)
        }
    }

    private func original(_ hash: String, _ contentType: String) -> S3Upload {
        let key = MediaNaming.original(sha256: hash, contentType: contentType)
        let type = MediaNaming.isHeaderValue(contentType) ? contentType : "application/octet-stream"
        return S3Upload(link: link, key: key, contentType: type, origin: nil, keepsExisting: true)
    }

    /// Not every server honours `If-None-Match`, so an original is looked up first as well.
    private func exists(_ key: String, size: Int) async throws(MediaError) -> Bool {
        let there = try await stat(MediaReference(bucket: link.settings.bucket, key: key))
        guard let there else { return false }
        guard there.size == size else {
            throw MediaError(.refused, "\(key) holds \(there.size) bytes that are not the original's, and stays")
        }
        return true
    }

    private func stored(_ key: String, _ hash: String, _ size: Int) -> StoredMedia {
        StoredMedia(reference: MediaReference(bucket: link.settings.bucket, key: key), sha256: hash, size: size)
    }

    private func check(_ reference: MediaReference) throws(MediaError) {
        guard reference.bucket == link.settings.bucket else {
            throw MediaError(.invalid, "the reference names another bucket than this store's")
        }
        guard MediaReference.isKey(reference.key) else { throw MediaError(.invalid, "the key is not a proper one") }
    }

    private func presigned(_ method: String, _ key: String, _ expiresIn: Duration) throws(MediaError) -> String {
        let seconds = Int(expiresIn.components.seconds)
        guard (1...604_800).contains(seconds) else {
            throw MediaError(.invalid, "a presigned URL lasts 1 second to 7 days")
        }
        let address = link.settings.address(of: key, isPublic: true)
        let query = link.signer.presignedQuery(
            method: method,
            path: address.path,
            host: address.host,
            seconds: seconds,
            at: link.clock.now
        )
        return address.url(query: query)
    }
}
