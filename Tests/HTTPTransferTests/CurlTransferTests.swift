// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Plumbing
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct CurlTransferTests {
    let server: TinyServer
    let transfer = CurlTransfer()

    init() throws {
        server = try TinyServer()
    }

    private func url(_ path: String) -> String { "http://127.0.0.1:\(server.port)\(path)" }

    private func failure(_ request: TransferRequest, _ client: CurlTransfer? = nil) async -> TransferError.Code? {
        do {
            _ = try await (client ?? transfer).send(request)
            return nil
        } catch {
            return error.code
        }
    }

    @Test(arguments: ["POST", "PUT", "PATCH", "DELETE"]) func bodiesGoThereAndBack(_ method: String) async throws {
        for size in [0, 1, 100_000] {
            let body = [UInt8](repeating: 0x61, count: size)
            let answer = try await transfer.send(TransferRequest(method, url("/echo"), body: .bytes(body)))
            #expect(answer.head.status == 201 && answer.body == body && answer.head["x-method"] == method)
        }
    }

    @Test func bodylessMethods() async throws {
        for method in ["GET", "HEAD", "DELETE", "POST"] {
            let answer = try await transfer.send(TransferRequest(method, url("/hello")))
            #expect(answer.head.status == 200 && answer.body.isEmpty == (method == "HEAD"))
        }
    }

    @Test func headersAreSentAsGivenAndNothingIsInvented() async throws {
        let request = TransferRequest(
            "POST",
            url("/head"),
            headers: [("X-One", "1"), ("X-Empty", ""), ("Content-Length", "999")],
            body: .bytes([1])
        )
        let head = String(decoding: try await transfer.send(request).body, as: UTF8.self)
        #expect(head.contains("X-One: 1\r\n") && head.contains("X-Empty:") && head.contains("User-Agent: malla"))
        #expect(head.contains("Content-Length: 1") && !head.contains("Length: 999"))
        #expect(!head.contains("Content-Type") && !head.contains("Expect"))
    }

    @Test func badRequestsAreInvalid() async {
        for (name, value) in [
            ("X", "a\r\nY: b"), ("X", "a\nb"), ("X\r\nY", "a"), ("X Y", "a"), ("", "a"), ("X", "a\0b"),
        ] {
            #expect(await failure(TransferRequest("GET", url("/"), headers: [(name, value)])) == .invalid)
        }
        for url in [
            "ftp://localhost/", "file:///etc/passwd", "http://", "http://a:b@localhost/", "localhost", "",
            "http://a b/", "http://a:99999/", "http://a/\r\n",
        ] {
            #expect(await failure(TransferRequest("GET", url)) == .invalid)
        }
        #expect(await failure(TransferRequest("GET /", url("/"))) == .invalid)
    }

    @Test func redirectsAreNotFollowed() async throws {
        #expect(try await transfer.send(TransferRequest("GET", url("/redirect"))).head.status == 302)
    }

    @Test func slowAndBrokenServers() async {
        #expect(await failure(TransferRequest("GET", url("/hang"), timeout: .milliseconds(200))) == .timeout)
        #expect(await failure(TransferRequest("GET", url("/stall"), timeout: .milliseconds(200))) == .timeout)
        #expect(await failure(TransferRequest("GET", url("/cut"))) == .unreachable)
        #expect(await failure(TransferRequest("GET", "http://127.0.0.1:1/")) == .unreachable)
        #expect(await failure(TransferRequest("GET", url("/huge"), answerLimit: 1_000_000)) == .tooLarge)
    }

    @Test(arguments: [
        "http://2130706433/", "http://0177.0.0.1/", "http://0x7f.1/", "http://127.1/", "http://[::ffff:127.0.0.1]/",
        "http://localhost/", "http://127.0.0.1/", "http://[::1]/", "http://0.0.0.0/", "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data", "http://[fd00::1]/", "http://[fe80::1]/", "http://100.64.0.1/",
        "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://224.0.0.1/", "http://[::]/",
        "http://[fd00:ec2::254]/latest/meta-data", "http://[::ffff:169.254.169.254]/", "http://[::ffff:a9fe:a9fe]/",
        "http://[::ffff:0:127.0.0.1]/", "http://[::127.0.0.1]/", "http://100.127.255.255/", "http://[fe80::1%25lo]/",
        "http://0/", "http://2852039166/", "http://192.168.1.1/", "http://172.31.0.1/", "http://[febf::1]/",
        "http://[ff02::1]/", "http://255.255.255.255/", "http://[64:ff9b:1::1]/", "http://[2001:db8::1]/",
        "http://LOCALHOST/", "http://a.localhost/",
    ]) func addressesThatAreNotPublicAreForbidden(_ target: String) async {
        let guarded = CurlTransfer(settings: TransferSettings(policy: .publicOnly(allowing: [])))
        #expect(await failure(TransferRequest("GET", target, timeout: .seconds(5)), guarded) == .forbidden)
    }

    @Test func allowedRangesAreReached() async throws {
        let range = try #require(CIDR(parsing: "127.0.0.0/8"))
        let guarded = CurlTransfer(settings: TransferSettings(policy: .publicOnly(allowing: [range])))
        #expect(try await guarded.send(TransferRequest("GET", url("/hello"))).head.status == 200)
        try NetworkPolicy.publicOnly(allowing: [range]).check(url: url("/"))
        try NetworkPolicy.publicOnly(allowing: []).check(url: "https://example.com/callback?a=b")
        try NetworkPolicy.publicOnly(allowing: []).check(url: "https://93.184.216.34/")
        for text in ["10.0.0.0/33", "10.0.0.1/8", "010.0.0.0/8", "x", "", "::/129", "10.0.0.0/-1"] {
            #expect(CIDR(parsing: text) == nil)
        }
    }

    @Test func cancellationBreaksOff() async throws {
        let task = Task { await failure(TransferRequest("GET", url("/hang"), timeout: .seconds(50))) }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        #expect(await task.value == .cancelled)
        while server.brokenOff.withLock({ $0 }) == 0 { await Task.yield() }
    }

    @Test func closingEndsEverything() async {
        let task = Task { await failure(TransferRequest("GET", url("/hang"), timeout: .seconds(50))) }
        while await failure(TransferRequest("GET", url("/hello"))) != nil { await Task.yield() }
        await transfer.close()
        #expect(await task.value == .closed)
        #expect(await failure(TransferRequest("GET", url("/hello"))) == .closed)
    }

    @Test func aStreamThatIsNotReadStopsTheSender() async throws {
        var (head, body): (TransferHead, AsyncThrowingStream<[UInt8], any Error>?) =
            try await transfer.stream(TransferRequest("GET", url("/huge")))
        #expect(head.status == 200 && head["content-length"] == "1073741824")
        var last = -1
        while case let now = server.sent.withLock({ $0 }), now != last {
            last = now
            try await Task.sleep(for: .milliseconds(100))
        }
        // What the sockets hold on both sides, and half a MiB of ours.
        #expect(last < 32 << 20)
        body = nil
        head = TransferHead(status: 0, headers: [])
        while server.brokenOff.withLock({ $0 }) == 0 { await Task.yield() }
        #expect(body == nil && head.status == 0)
    }

    @Test func aStreamIsReadToItsEnd() async throws {
        let (_, body) = try await transfer.stream(TransferRequest("GET", url("/huge")))
        var count = 0
        for try await chunk in body { count += chunk.count }
        #expect(count == 1 << 30)
    }

    @Test func aBrokenStreamThrows() async throws {
        for (path, code) in [("/cut", TransferError.Code.unreachable), ("/stall", .timeout)] {
            let (_, body) = try await transfer.stream(TransferRequest("GET", url(path), timeout: .seconds(1)))
            let error = await #expect(throws: TransferError.self) { for try await _ in body {} }
            #expect(error?.code == code)
        }
    }

    @Test(arguments: [nil, 3_000_000]) func streamsGoUp(_ length: Int?) async throws {
        let body = AsyncThrowingStream<[UInt8], any Error> { continuation in
            for _ in 0..<300 { continuation.yield([UInt8](repeating: 1, count: 10_000)) }
            continuation.finish()
        }
        let answer = try await transfer.send(TransferRequest("PUT", url("/count"), body: .stream(body, length: length)))
        #expect(String(decoding: answer.body, as: UTF8.self) == "3000000 3000000")
    }

    @Test func aStreamOfTheWrongLengthFails() async {
        for length in [1, 5_000] {
            let body = AsyncThrowingStream<[UInt8], any Error> { continuation in
                continuation.yield([UInt8](repeating: 1, count: 2_000))
                continuation.finish()
            }
            #expect(
                await failure(TransferRequest("PUT", url("/count"), body: .stream(body, length: length))) == .invalid
            )
        }
    }

    @Test func manyAtOnce() async throws {
        let client = CurlTransfer(settings: TransferSettings(connectionsPerHost: 8))
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<200 {
                group.addTask { [url = url("/hello")] in try await client.send(TransferRequest("GET", url)).head.status
                }
            }
            for try await status in group { #expect(status == 200) }
        }
    }
}
