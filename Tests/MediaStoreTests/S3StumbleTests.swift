// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import MallaTestKit
import MediaStore
import MediaStoreS3
import Synchronization
import Testing

/// What the store does when S3 stumbles.
@Suite(.timeLimit(.minutes(1))) struct S3StumbleTests {
    let server: StumblingS3
    let store: S3MediaStore

    init() throws {
        server = try StumblingS3()
        store = Self.store(on: server)
    }

    static func store(on server: StumblingS3, transfer: any HTTPTransferring = CurlTransfer()) -> S3MediaStore {
        let endpoint = "http://127.0.0.1:\(server.port)"
        let settings = S3Settings(endpoint: endpoint, bucket: "b", accessKey: "a", secretKey: "s")
        return S3MediaStore(settings: settings, transfer: transfer)
    }

    private func reference(_ key: String) -> MediaReference { MediaReference(bucket: "b", key: key) }

    private func put(_ key: String, size: Int) async throws {
        let bytes = MediaSource(size: size).stream()
        _ = try await store.store(bytes, key: key, contentType: "image/png", origin: nil, limit: size)
    }

    private func holds(_ key: String, size: Int) async throws -> Bool {
        try await MediaSource(size: size).matches(try await store.read(reference(key), offset: 0).bytes, from: 0)
    }

    private func failure(_ body: () async throws -> Void) async -> MediaError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? MediaError
        }
    }

    @Test(arguments: [Duration.seconds(3600), .seconds(-3600), .seconds(86_400 * 400)])
    func aClockThatIsWrongHereIsSetByTheServers(ahead: Duration) async throws {
        server.state.withLock { $0.ahead = ahead }
        try await put("k", size: 1000)
        #expect(try await holds("k", size: 1000))
        #expect(server.lines.count { $0 == "PUT /b/k" } == 2, "one refusal is enough to learn from")
        let reader = Self.store(on: server)
        let content = try await reader.read(reference("k"), offset: 0)
        #expect(try await MediaSource(size: 1000).matches(content.bytes, from: 0))
        try await store.delete(reference("k"))
        #expect(server.lines.count { $0 == "DELETE /b/k" } == 1)
    }

    /// All were signed by the wrong clock; the first refusal that arrives sets it, and the others must not be taken
    /// for refusals of another kind, nor set it once more.
    @Test func refusalsOfOneWrongClockThatComeTogetherAreAllTriedAgain() async throws {
        server.state.withLock { $0.ahead = .seconds(3600) }
        server.state.withLock { $0.refusesTogether = 8 }
        try await withThrowingTaskGroup { group in
            for index in 0..<8 { group.addTask { try await put("k\(index)", size: 100) } }
            try await group.waitForAll()
        }
        try await put("after", size: 100)
        #expect(server.lines.count == 17)
    }

    @Test func fleetingErrorsAreTriedAgain() async throws {
        for fault in [
            StumblingS3.Fault.answer(500, "InternalError"), .answer(503, "SlowDown"), .answer(503, ""),
            .answer(429, ""), .answer(400, "RequestTimeout"), .answer(409, "OperationAborted"), .losesAnswer,
        ] {
            for method in ["PUT", "GET", "DELETE"] { server.stumble(method, "/b/k", fault, times: 2) }
            try await put("k", size: 1000)
            #expect(try await holds("k", size: 1000))
            try await store.delete(reference("k"))
            let lines = server.lines
            for method in ["PUT", "GET", "DELETE"] {
                #expect(lines.count { $0 == "\(method) /b/k" } == 3, "\(method) after \(fault)")
            }
            server.state.withLock { $0.seen = [] }
        }
        server.stumble("HEAD", "/b/k", .answer(503, ""), times: 2)
        #expect(try await store.stat(reference("k")) == nil)
    }

    @Test func lastingErrorsEnd() async throws {
        server.stumble("PUT", "/b/k", .answer(503, "SlowDown"), times: 100)
        let error = await failure { try await put("k", size: 10) }
        #expect(error?.code == .unavailable && error?.reason.contains("SlowDown: words of <S3>") == true)
        #expect(server.lines.count == 4)
    }

    @Test(arguments: [(403, "AccessDenied"), (403, "SignatureDoesNotMatch"), (400, "InvalidRequest"), (501, "No")])
    func refusalsAreNotTriedAgain(_ status: Int, _ code: String) async throws {
        try await put("k", size: 10)
        server.state.withLock { $0.seen = [] }
        for method in ["PUT", "GET", "DELETE"] { server.stumble(method, "/b/k", .answer(status, code)) }
        for error in [
            await failure { try await put("k", size: 10) },
            await failure { _ = try await store.read(reference("k"), offset: 0) },
            await failure { try await store.delete(reference("k")) },
        ] {
            #expect(error?.reason.contains("\(status)") == true && error?.reason.contains("\(code): words") == true)
            #expect(error?.code == (status == 403 ? .refused : .invalid))
        }
        #expect(server.lines.count == 3)
    }

    @Test(arguments: [false, true]) func aBrokenDownloadIsTakenUpAgain(_ ignoresRanges: Bool) async throws {
        let size = 3_000_000
        try await put("k", size: size)
        server.state.withLock { $0.ignoresRanges = ignoresRanges }
        for count in [1_000_000, 0, 700_000] { server.stumble("GET", "/b/k", .breaksDownload(count)) }
        #expect(try await holds("k", size: size))
        let gets = server.state.withLock { $0.seen.filter { $0.method == "GET" } }
        #expect(gets.count == 4 && gets[0].headers["range"] == nil)
        #expect(gets.dropFirst().allSatisfy { $0.headers["range"] == "bytes=1000000-" || $0.headers["range"] != nil })
        #expect(gets.dropFirst().allSatisfy { $0.headers["if-match"] == "\"tag-1\"" })
        if !ignoresRanges { #expect(gets[1].headers["range"] == "bytes=1000000-") }
    }

    @Test(arguments: [false, true]) func anObjectThatIsReplacedIsNeverMixed(_ ignoresConditions: Bool) async throws {
        try await put("k", size: 2_000_000)
        server.state.withLock { $0.ignoresConditions = ignoresConditions }
        server.stumble("GET", "/b/k", .breaksDownload(1_000_000))
        let content = try await store.read(reference("k"), offset: 0)
        server.state.withLock { $0.put("/b/k", [UInt8](repeating: 1, count: 2_000_000), type: nil) }
        let error = await failure { for try await _ in content.bytes {} }
        #expect(error?.reason.contains("replaced") == true)
        #expect(server.lines.count { $0.hasPrefix("GET") } == 2)
    }

    @Test func anAnswerOfUnknownLengthIsNoEmptyMedia() async throws {
        try await put("k", size: 1000)
        server.stumble("GET", "/b/k", .tellsNoLength, times: 4)
        #expect(await failure { _ = try await store.read(reference("k"), offset: 0) }?.code == .unavailable)
        #expect(try await holds("k", size: 1000))
    }

    @Test func brokenPartsAreSentAgain() async throws {
        let size = (20 << 20) + 5
        server.stumble("PUT", "partNumber=2", .breaksUpload(3 << 20))
        server.stumble("PUT", "partNumber=2", .answer(500, "InternalError"))
        server.stumble("PUT", "partNumber=3", .losesAnswer)
        try await put("k", size: size)
        #expect(try await holds("k", size: size))
        #expect(server.lines.count { $0.contains("partNumber=2") } == 3)
        #expect(server.lines.count { $0.contains("partNumber=3") } == 2)
        #expect(!server.lines.contains { $0.hasPrefix("DELETE") })
    }

    @Test func aCompletionWhoseAnswerIsLostHasHappened() async throws {
        server.stumble("POST", "uploadId=", .losesAnswer)
        try await put("k", size: (5 << 20) + 1)
        server.stumble("POST", "uploadId=", .failsLate("InternalError"))
        try await put("l", size: (5 << 20) + 1)
        for key in ["k", "l"] { #expect(try await holds(key, size: (5 << 20) + 1)) }
        #expect(server.lines.count { $0.hasPrefix("POST") && $0.contains("uploadId") } == 4)
        // One that is gone, without an object, has not.
        server.stumble("POST", "uploadId=", .answer(404, "NoSuchUpload"))
        #expect(await failure { try await put("m", size: (5 << 20) + 1) }?.code == .unavailable)
    }

    @Test func aFailedUploadIsAborted() async throws {
        server.stumble("PUT", "partNumber=2", .answer(403, "AccessDenied"))
        let error = await failure { try await put("k", size: 40 << 20) }
        #expect(error?.code == .refused && error?.reason.contains("AccessDenied") == true)
        server.stumble("POST", "uploadId=", .failsLate("MalformedXML"))
        #expect(await failure { try await put("k", size: 9 << 20) } != nil)
        let source = MediaSource(size: 40 << 20).stream(breakingAt: 20 << 20)
        let broken = await failure {
            _ = try await store.store(source, key: "k", contentType: "image/png", origin: nil, limit: 40 << 20)
        }
        #expect(broken?.code == .unavailable)
        #expect(server.lines.count { $0.hasPrefix("DELETE /b/k?uploadId=") } == 3)
        #expect(server.state.withLock { $0.uploads.isEmpty && $0.objects.isEmpty })
    }

    @Test func aCancelledUploadIsAborted() async throws {
        server.stumble("PUT", "partNumber=2", .hangs)
        let task = Task { await failure { try await put("k", size: 40 << 20) } }
        while !server.lines.contains(where: { $0.contains("partNumber=2") }) { await Task.yield() }
        task.cancel()
        #expect(await task.value?.code == .unavailable)
        #expect(server.state.withLock { $0.uploads.isEmpty && $0.objects.isEmpty })
    }

    @Test func aStuckServerEndsWithTheTimeLimit() async throws {
        try await put("k", size: 10)
        let hasty = Self.store(on: server, transfer: HastyTransfer(timeout: .milliseconds(300)))
        for method in ["GET", "PUT", "HEAD"] { server.stumble(method, "/b/k", .hangs, times: 100) }
        let started = ContinuousClock.now
        for error in [
            await failure { _ = try await hasty.stat(reference("k")) },
            await failure { _ = try await hasty.read(reference("k"), offset: 0) },
            await failure {
                let bytes = MediaSource.stream(of: [1])
                _ = try await hasty.store(bytes, key: "k", contentType: "a/b", origin: nil, limit: 1)
            },
        ] { #expect(error?.code == .unavailable && error?.isRetriable == true) }
        #expect(ContinuousClock.now - started < .seconds(30))
    }
}

/// libcurl with less patience than the store asks for.
struct HastyTransfer: HTTPTransferring {
    private let transfer = CurlTransfer()
    let timeout: Duration

    private func hasty(_ request: TransferRequest) -> TransferRequest {
        var request = request
        request.timeout = timeout
        return request
    }

    func send(_ request: TransferRequest) async throws(TransferError) -> TransferResponse {
        try await transfer.send(hasty(request))
    }

    func stream(
        _ request: TransferRequest
    ) async throws(TransferError) -> (head: TransferHead, body: AsyncThrowingStream<[UInt8], any Error>) {
        try await transfer.stream(hasty(request))
    }
}
