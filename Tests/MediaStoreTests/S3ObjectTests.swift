// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Crypto
import Foundation
import HTTPTransfer
import MallaTestKit
import MediaStore
import Synchronization
import Testing

@testable import MediaStoreS3

/// Where requests go, how they are cut into parts, and what originals do.
@Suite(.timeLimit(.minutes(2))) struct S3ObjectTests {
    let server: StumblingS3
    let store: S3MediaStore

    init() throws {
        server = try StumblingS3()
        store = S3StumbleTests.store(on: server)
    }

    private func original(_ bytes: [UInt8]) async throws -> StoredMedia {
        try await store.storeOriginal(MediaSource.stream(of: bytes), contentType: "text/plain", limit: 100 << 20)
    }

    @Test(arguments: [
        (0, [0]), ((5 << 20) - 1, [(5 << 20) - 1]), (5 << 20, [5 << 20]), ((5 << 20) + 1, [5 << 20, 1]),
        (12 << 20, [5 << 20, 5 << 20, 2 << 20]),
    ]) func partsAreCut(_ size: Int, _ parts: [Int]) async throws {
        for isOriginal in [false, true] {
            server.state.withLock { $0.seen = [] }
            let source = MediaSource(size: size)
            let stored =
                isOriginal
                ? try await store.storeOriginal(source.stream(), contentType: "image/png", limit: size)
                : try await store.store(source.stream(), key: "k", contentType: "image/png", origin: nil, limit: size)
            let puts = server.state.withLock { $0.seen.filter { $0.method == "PUT" } }
            #expect(puts.sorted { $0.query < $1.query }.map(\.count) == parts)
            #expect(server.lines.count { $0.hasPrefix("POST") } == (parts.count > 1 ? 2 : 0))
            #expect(try await source.matches(try await store.read(stored.reference, offset: 0).bytes, from: 0))
            let attributes = try await store.stat(stored.reference)
            #expect(attributes?.size == size)
        }
    }

    @Test(arguments: [3, (5 << 20) + 3]) func originalsAreNeverOverwritten(_ size: Int) async throws {
        let bytes = [UInt8](repeating: 7, count: size)
        let first = try await original(bytes)
        let tag = server.state.withLock { $0.objects["/b/\(first.reference.key)"]?.tag }
        server.state.withLock { $0.seen = [] }
        #expect(try await original(bytes) == first)
        #expect(!server.lines.contains { $0.hasPrefix("PUT") || $0.hasPrefix("POST") })
        let other = try await original(bytes + [1])
        #expect(other.reference.key != first.reference.key && other.sha256 != first.sha256)
        try await withThrowingTaskGroup(of: StoredMedia.self) { group in
            for _ in 0..<4 { group.addTask { try await original(bytes + [2]) } }
            var seen: Set<StoredMedia> = []
            for try await stored in group { seen.insert(stored) }
            #expect(seen.count == 1)
        }
        server.state.withLock { state in
            #expect(state.objects.count == 3 && state.uploads.isEmpty)
            #expect(state.objects["/b/\(first.reference.key)"]?.tag == tag)
            // Somebody damaged it: what is there stays, and nobody is told that the original is stored.
            state.put("/b/\(first.reference.key)", [1], type: nil)
        }
        let error = await #expect(throws: MediaError.self) { _ = try await original(bytes) }
        #expect(error?.code == .refused)
        #expect(server.state.withLock { $0.objects["/b/\(first.reference.key)"]?.bytes } == [1])
    }

    @Test func virtualHostRequestsAreAddressed() async throws {
        let transfer = CurlTransfer()
        for (prefix, isPathStyle, host, path) in [
            ("", false, "my-bucket.localhost", "/a%20b%2Bc"),
            ("/s3/base/", false, "my-bucket.localhost", "/s3/base/a%20b%2Bc"),
            ("", true, "localhost", "/my-bucket/a%20b%2Bc"), ("/s3", true, "localhost", "/s3/my-bucket/a%20b%2Bc"),
        ] {
            server.state.withLock { $0.seen = [] }
            let settings = S3Settings(
                endpoint: "http://localhost:\(server.port)\(prefix)",
                bucket: "my-bucket",
                accessKey: "a",
                secretKey: "s",
                usesPathStyle: isPathStyle
            )
            let store = S3MediaStore(settings: settings, transfer: transfer)
            let bytes = MediaSource.stream(of: [1, 2])
            let stored = try await store.store(bytes, key: "a b+c", contentType: "a/b", origin: nil, limit: 2)
            let url = try store.presignedGet(stored.reference, expiresIn: .seconds(5))
            #expect(url.hasPrefix("http://\(host):\(server.port)\(path)?X-Amz-"))
            #expect(try await transfer.send(TransferRequest("GET", url)).body == [1, 2])
            try await store.ping()
            server.state.withLock { state in
                #expect(state.seen.map(\.method) == ["PUT", "GET", "HEAD"])
                #expect(state.seen.allSatisfy { $0.headers["host"] == "\(host):\(server.port)" })
                #expect(state.seen.prefix(2).allSatisfy { $0.path == path })
                #expect(state.seen[0].headers["authorization"]?.contains("SignedHeaders=content-type;host;") == true)
                #expect(path.hasPrefix(state.seen[2].path))
            }
        }
    }

    @Test(arguments: [
        ("https://s3.eu-central-1.amazonaws.com", false, "https://b.s3.eu-central-1.amazonaws.com/k?X-Amz-"),
        ("https://s3.eu-central-1.amazonaws.com:443/", false, "https://b.s3.eu-central-1.amazonaws.com/k?X-Amz-"),
        ("https://minio.example:9443", false, "https://b.minio.example:9443/k?X-Amz-"),
        ("https://minio.example:9443/a/b/", true, "https://minio.example:9443/a/b/b/k?X-Amz-"),
        ("http://minio:80", true, "http://minio/b/k?X-Amz-"), ("minio:9000", true, "https://minio:9000/b/k?X-Amz-"),
        ("http://[::1]:9000", true, "http://[::1]:9000/b/k?X-Amz-"),
        // An address has no subdomains.
        ("http://127.0.0.1:9000", false, "http://127.0.0.1:9000/b/k?X-Amz-"),
        ("http://[::1]:9000", false, "http://[::1]:9000/b/k?X-Amz-"),
    ]) func presignedURLsPointThere(_ endpoint: String, _ isPathStyle: Bool, _ start: String) throws {
        for isPublic in [false, true] {
            let settings = S3Settings(
                endpoint: isPublic ? "http://inside:9000" : endpoint,
                publicEndpoint: isPublic ? endpoint : nil,
                bucket: "b",
                accessKey: "a",
                secretKey: "s",
                usesPathStyle: isPathStyle
            )
            let store = S3MediaStore(settings: settings, transfer: CurlTransfer())
            let reference = MediaReference(bucket: "b", key: "k")
            #expect(try store.presignedGet(reference, expiresIn: .seconds(604_800)).hasPrefix(start))
            #expect(try store.presignedPut(key: "k", expiresIn: .seconds(1)).url.hasPrefix(start))
        }
    }

    @Test(.needs(.s3)) func memoryStaysFlat() async throws {
        let size = 200 << 20
        let store = S3MediaStore(settings: try TestS3.settings(), transfer: CurlTransfer())
        let before = try #require(Self.residentBytes())
        let peak = Peak()
        let source = MediaSource(size: size).stream()
        let watched = ByteStream {
            await peak.note(Self.residentBytes())
            var iterator = source.makeAsyncIterator()
            return try await iterator.next()
        }
        let stored = try await store.store(
            watched,
            key: "derived/memory/\(size)",
            contentType: "video/mp4",
            origin: nil,
            limit: size
        )
        var hash = SHA256()
        for try await chunk in try await store.read(stored.reference, offset: 0).bytes {
            hash.update(data: chunk)
            await peak.note(Self.residentBytes())
        }
        #expect(MediaNaming.hexadecimal(hash.finalize()) == stored.sha256)
        // Three parts of 5 MiB, what waits in curl, what the allocator keeps, and what other tests do meanwhile.
        let grown = await peak.bytes - before
        #expect(grown < 110 << 20, "\(grown >> 20) MiB more")
        try await store.delete(stored.reference)
    }

    private static func residentBytes() -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 4096 }
    }
}

private actor Peak {
    private(set) var bytes = 0

    func note(_ now: Int?) {
        bytes = max(bytes, now ?? 0)
    }
}
