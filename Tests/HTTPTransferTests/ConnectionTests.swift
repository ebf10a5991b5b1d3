// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Plumbing
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// How connections are made, shared and given back.
@Suite(.timeLimit(.minutes(1))) struct ConnectionTests {
    let server: TinyServer

    init() throws {
        server = try TinyServer()
    }

    private func url(_ path: String) -> String { "http://127.0.0.1:\(server.port)\(path)" }

    private func failure(_ request: TransferRequest, _ client: CurlTransfer) async -> TransferError? {
        do {
            _ = try await client.send(request)
            return nil
        } catch {
            return error
        }
    }

    @Test func aConnectionIsUsedAgain() async throws {
        let client = CurlTransfer()
        for number in 0..<50 {
            let request = TransferRequest(number % 2 == 0 ? "GET" : "POST", url("/echo"), body: .bytes([1]))
            #expect(try await client.send(request).head.status == 201)
        }
        let (_, body) = try await client.stream(TransferRequest("GET", url("/hello")))
        for try await _ in body {}
        #expect(server.connections.withLock { $0 } == 1)
    }

    @Test func aConnectionThatTheServerClosedIsReplaced() async throws {
        let client = CurlTransfer()
        for _ in 0..<20 {
            #expect(try await client.send(TransferRequest("GET", url("/leave"))).head.status == 200)
            let request = TransferRequest("POST", url("/echo"), body: .bytes([1]))
            #expect(try await client.send(request).body == [1])
        }
    }

    @Test(arguments: [1000, 1_000_000])
    func aBodyIsSentFromItsBeginningWhenItsConnectionCloses(size: Int) async throws {
        let client = CurlTransfer()
        let body = (0..<size).map { UInt8(0x61 + $0 % 23) }
        var answered = 0
        for _ in 0..<20 {
            #expect(try await client.send(TransferRequest("GET", url("/once"))).head.status == 200)
            do {
                let answer = try await client.send(TransferRequest("PUT", url("/echo"), body: .bytes(body)))
                #expect(answer.body == body)
                answered += 1
            } catch {
                // A connection that breaks while bytes go out is the caller's to try again, not curl's.
                #expect(error.isRetriable && !error.reason.contains("rewind"))
            }
        }
        #expect(answered > 0 && server.connections.withLock { $0 } > 1)
    }

    @Test func anAnswerThatNeverComesIsNotWaitedForTwice() async {
        let client = CurlTransfer()
        let error = await failure(TransferRequest("POST", url("/vanish"), body: .bytes([1])), client)
        #expect(error?.code == .unreachable && error?.isRetriable == true)
        #expect(server.connections.withLock { $0 } == 1)
    }

    @Test func aHundredAtOnce() async throws {
        let client = CurlTransfer(settings: TransferSettings(connectionsPerHost: 100))
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<100 {
                // Nobody is answered before all have come.
                group.addTask { [url = url("/gather")] in try await client.send(TransferRequest("GET", url)).body }
            }
            for try await body in group { #expect(body == Array("together".utf8)) }
        }
    }

    @Test func aCancelledTransferFreesItsSlot() async throws {
        let client = CurlTransfer(settings: TransferSettings(connectionsPerHost: 1))
        let hanging = Task { [url = url("/hang")] in
            await failure(TransferRequest("GET", url, timeout: .seconds(50)), client)
        }
        while server.waiting.withLock({ $0 }) == 0 { await Task.yield() }
        let next = Task { [url = url("/hello")] in try await client.send(TransferRequest("GET", url)).head.status }
        let started = ContinuousClock.now
        hanging.cancel()
        #expect(await hanging.value?.code == .cancelled)
        #expect(try await next.value == 200)
        #expect(ContinuousClock.now - started < .seconds(5))
        while server.brokenOff.withLock({ $0 }) == 0 { await Task.yield() }
    }

    @Test func aCancelledStreamFreesItsSlot() async throws {
        let client = CurlTransfer(settings: TransferSettings(connectionsPerHost: 1))
        let reading = Task { [url = url("/stall")] () -> TransferError.Code? in
            do {
                let (_, body) = try await client.stream(TransferRequest("GET", url, timeout: .seconds(50)))
                for try await _ in body { withUnsafeCurrentTask { $0?.cancel() } }
                return nil
            } catch {
                return (error as? TransferError)?.code
            }
        }
        let code = await reading.value
        #expect(code == nil || code == .cancelled)
        #expect(try await client.send(TransferRequest("GET", url("/hello"))).head.status == 200)
    }

    @Test func aCancelledUploadFreesItsSlot() async throws {
        let client = CurlTransfer(settings: TransferSettings(connectionsPerHost: 1))
        let (body, source) = AsyncThrowingStream<[UInt8], any Error>.makeStream()
        source.yield([1])
        let sending = Task { [url = url("/count")] in
            await failure(TransferRequest("PUT", url, body: .stream(body, length: 10)), client)
        }
        while server.connections.withLock({ $0 }) == 0 { await Task.yield() }
        sending.cancel()
        #expect(await sending.value?.code == .cancelled)
        #expect(try await client.send(TransferRequest("GET", url("/hello"))).head.status == 200)
        source.finish()
    }

    @Test(arguments: ["/headers", "/header", "/interim"]) func headersHaveALimit(_ path: String) async {
        let client = CurlTransfer()
        #expect(await failure(TransferRequest("GET", url(path)), client)?.code == .tooLarge)
        do {
            _ = try await client.stream(TransferRequest("GET", url(path)))
            Issue.record("the head must be refused")
        } catch {
            #expect(error.code == .tooLarge)
        }
    }

    @Test func anAnswerOfExactlyTheLimitIsTaken() async throws {
        let client = CurlTransfer()
        let body = [UInt8](repeating: 0x61, count: 70_000)
        for (limit, isTaken) in [(70_000, true), (69_999, false), (0, false)] {
            let request = TransferRequest("POST", url("/echo"), body: .bytes(body), answerLimit: limit)
            #expect(await failure(request, client)?.code == (isTaken ? nil : .tooLarge))
        }
    }

    /// A name of this machine that only a look-up turns into a loopback address.
    static let localName: String? = {
        guard let file = fopen("/etc/hosts", "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, CInt(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let words = text.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard let address = words.first, address.hasPrefix("127.") else { continue }
            if let name = words.dropFirst().first(where: { !$0.contains("localhost") }) { return String(name) }
        }
        return nil
    }()

    @Test(.enabled(if: Self.localName != nil, "no name of a loopback address in /etc/hosts"))
    func aNameIsJudgedByItsAddress() async throws {
        let name = try #require(Self.localName)
        let target = "http://\(name):\(server.port)/hello"
        // The look at the URL can't know; the connection does.
        try NetworkPolicy.publicOnly(allowing: []).check(url: target)
        let guarded = CurlTransfer(settings: TransferSettings(policy: .publicOnly(allowing: [])))
        let error = await failure(TransferRequest("GET", target), guarded)
        #expect(error?.code == .forbidden && error?.isRetriable == false)
        #expect(server.connections.withLock { $0 } == 0)
        let trusted = CurlTransfer()
        #expect(try await trusted.send(TransferRequest("GET", target)).head.status == 200)
        // A connection that another client has open is no way around.
        #expect(await failure(TransferRequest("GET", target), guarded)?.code == .forbidden)
    }
}
