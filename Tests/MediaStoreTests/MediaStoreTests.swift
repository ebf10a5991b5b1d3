// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import HTTPTransfer
import MallaTestKit
import MediaStore
import MediaStoreFiles
import MediaStoreS3
import Plumbing
import Testing

/// Where the tests' S3 server is; nil on a machine without one.
enum TestS3 {
    static let environment = ProcessInfo.processInfo.environment
    static var isThere: Bool { environment["MALLA_TEST_S3_ENDPOINT"] != nil || environment["CI"] != nil }

    static func settings(endpoint: String? = nil, secret: String? = nil) throws -> S3Settings {
        S3Settings(
            endpoint: try #require(endpoint ?? environment["MALLA_TEST_S3_ENDPOINT"]),
            bucket: environment["MALLA_TEST_S3_BUCKET"] ?? "",
            accessKey: environment["MALLA_TEST_S3_ACCESS_KEY"] ?? "",
            secretKey: secret ?? environment["MALLA_TEST_S3_SECRET_KEY"] ?? ""
        )
    }
}

@Suite struct S3StoreTests {
    @Test(.enabled(if: TestS3.isThere)) func honoursTheContract() async throws {
        let store = S3MediaStore(settings: try TestS3.settings(), transfer: CurlTransfer())
        try await MediaContract(store: store, run: "\(MeshID())").check()
    }

    @Test(.enabled(if: TestS3.isThere)) func presignedURLsReadAndWrite() async throws {
        let transfer = CurlTransfer()
        let store = S3MediaStore(settings: try TestS3.settings(), transfer: transfer)
        let key = "uploads/\(MeshID())/a b+c%ü.txt"
        let (url, reference) = try store.presignedPut(key: key, expiresIn: .seconds(60))
        let put = try await transfer.send(TransferRequest("PUT", url, body: .bytes(Array("hello".utf8))))
        #expect(put.head.status == 200)
        let get = try await transfer.send(
            TransferRequest("GET", try store.presignedGet(reference, expiresIn: .seconds(60)))
        )
        #expect(get.body == Array("hello".utf8))
        let tampered = url.replacingOccurrences(of: "X-Amz-Expires=60", with: "X-Amz-Expires=6000")
        let refused = try await transfer.send(TransferRequest("PUT", tampered, body: .bytes([1])))
        #expect(refused.head.status == 403)
    }

    @Test(.enabled(if: TestS3.isThere)) func wrongSecretIsRefused() async throws {
        let store = S3MediaStore(settings: try TestS3.settings(secret: "wrong"), transfer: CurlTransfer())
        let error = await #expect(throws: MediaError.self) { try await store.ping() }
        #expect(error?.code == .refused)
    }

    @Test(.timeLimit(.minutes(1))) func aServerThatIsDownIsUnavailable() async throws {
        let settings = S3Settings(endpoint: "http://127.0.0.1:1", bucket: "b", accessKey: "a", secretKey: "s")
        let store = S3MediaStore(settings: settings, transfer: CurlTransfer())
        let started = ContinuousClock.now
        let error = await #expect(throws: MediaError.self) {
            _ = try await store.read(MediaReference(bucket: "b", key: "k"), offset: 0)
        }
        #expect(error?.code == .unavailable && error?.isRetriable == true)
        #expect(ContinuousClock.now - started < .seconds(5))
    }
}

@Suite struct FilesStoreTests {
    let folder = FileManager.default.temporaryDirectory.appending(path: "malla-files-\(MeshID())").path()

    var store: FilesMediaStore {
        FilesMediaStore(folder: folder, bucket: "local", baseURL: "http://localhost:8007/", secret: Array(0..<32))
    }

    @Test func honoursTheContract() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await MediaContract(store: store, run: "a").check()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/incoming").isEmpty)
    }

    @Test func whatACrashLeftIsRemoved() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let incoming = folder + "/incoming"
        try FileManager.default.createDirectory(atPath: incoming, withIntermediateDirectories: true)
        for (name, age) in [("old", 90_000.0), ("young", 1000.0)] {
            try Data([1]).write(to: URL(filePath: "\(incoming)/\(name)"))
            let date = Date(timeIntervalSinceNow: -age)
            try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: "\(incoming)/\(name)")
        }
        let bytes = MediaSource.stream(of: [1, 2])
        _ = try await store.store(bytes, key: "uploads/a", contentType: "a/b", origin: nil, limit: 2)
        #expect(try FileManager.default.contentsOfDirectory(atPath: incoming) == ["young"])
    }

    @Test func presignedURLsAreChecked() throws {
        let reference = MediaReference(bucket: "local", key: "uploads/a b+ü.txt")
        let url = try store.presignedGet(reference, expiresIn: .seconds(60))
        let parts = url.dropFirst("http://localhost:8007".count).split(separator: "?").map(String.init)
        #expect(try store.verify(method: "GET", path: parts[0], query: parts[1]) == reference)
        #expect(try store.verify(method: "HEAD", path: parts[0], query: parts[1]) == reference)
        let wrong: [(String, String, String, Timestamp)] = [
            ("PUT", parts[0], parts[1], .now),
            ("GET", parts[0], parts[1], .now + .seconds(61)),
            ("GET", parts[0] + "x", parts[1], .now),
            ("GET", "/media/local/../secret", parts[1], .now),
            ("GET", parts[0].replacingOccurrences(of: "local", with: "other"), parts[1], .now),
            ("GET", parts[0], parts[1].replacingOccurrences(of: "expires=1", with: "expires=2"), .now),
            ("PUT", parts[0], parts[1].replacingOccurrences(of: "method=GET", with: "method=PUT"), .now),
            ("GET", parts[0], "expires=1&expires=2&signature=x&method=GET", .now), ("GET", parts[0], "", .now),
        ]
        for (method, path, query, now) in wrong {
            #expect(throws: MediaError.self) {
                _ = try store.verify(method: method, path: path, query: query, now: now)
            }
        }
    }
}
