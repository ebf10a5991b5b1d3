// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import CCurl
internal import Plumbing

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// One multi handle of curl on its own thread, and the requests under way on it.
actor CurlEngine: LoopSource {
    private static let prepared: CURLcode = curl_global_init(Int(CURL_GLOBAL_ALL))

    private let loop = LoopThread(name: "malla-http")
    private let setup: CurlSetup
    private var multi: UnsafeMutableRawPointer?
    private var active: [UnsafeMutableRawPointer: CurlExchange] = [:]
    private var streams: [Int: CurlExchange] = [:]
    private var spare: [UnsafeMutableRawPointer] = []
    private var isAttached = false
    private var isClosed = false
    private var lastStream = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(settings: TransferSettings) {
        setup = CurlSetup(settings: settings)
        guard Self.prepared == CURLE_OK, let multi = curl_multi_init() else { return }
        ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, settings.idleConnections)
        ccurl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, settings.connectionsPerHost)
        self.multi = multi
    }

    // MARK: Requests

    func send(_ request: TransferRequest) async throws -> TransferResponse {
        let exchange = try begin(request, flow: nil)
        do {
            return try await exchange.answer.value()
        } catch {
            // Either it ended by itself and is gone already, or the caller left.
            abandon(exchange, because: TransferError(.cancelled, "the caller was cancelled"))
            throw error
        }
    }

    func open(_ request: TransferRequest) async throws -> (id: Int, head: TransferHead, flow: BodyFlow) {
        let flow = BodyFlow()
        let exchange = try begin(request, flow: flow)
        lastStream += 1
        let id = lastStream
        streams[id] = exchange
        do {
            return (id, try await exchange.head.value(), flow)
        } catch {
            streams[id] = nil
            abandon(exchange, because: TransferError(.cancelled, "the caller was cancelled"))
            throw error
        }
    }

    /// Lets a paused answer go on: its reader has room.
    func resume(stream id: Int) {
        guard let exchange = streams[id] else { return }
        resume(exchange)
    }

    /// Breaks a streamed answer off that nobody reads any more.
    func abandon(stream id: Int) {
        guard let exchange = streams.removeValue(forKey: id) else { return }
        abandon(exchange, because: TransferError(.cancelled, "the reader has left"))
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        for exchange in active.values {
            abandon(exchange, because: TransferError(.closed, "the client was closed"))
        }
        streams = [:]
        for easy in spare { curl_easy_cleanup(easy) }
        spare = []
        if let multi { curl_multi_cleanup(multi) }
        multi = nil
    }

    private func begin(_ request: TransferRequest, flow: BodyFlow?) throws(TransferError) -> CurlExchange {
        guard !isClosed else { throw TransferError(.closed, "the client was closed") }
        guard !Task.isCancelled else { throw TransferError(.cancelled, "the caller was cancelled") }
        let authority = try setup.check(request)
        let policy = setup.settings.policy
        guard let multi, let easy = spare.popLast() ?? curl_easy_init() else {
            throw TransferError(.unreachable, "libcurl could not start: memory ran out")
        }
        if !isAttached {
            isAttached = true
            loop.attach(self)
        }
        let exchange = CurlExchange(request: request, authority: authority, policy: policy, flow: flow)
        exchange.easy = easy
        do {
            try setup.apply(exchange, to: easy)
        } catch {
            curl_easy_cleanup(easy)
            throw error
        }
        guard curl_multi_add_handle(multi, easy) == CURLM_OK else {
            curl_easy_cleanup(easy)
            throw TransferError(.unreachable, "libcurl did not take the request")
        }
        active[easy] = exchange
        if case .stream(let bytes, _) = request.body { exchange.feeder = feed(easy, with: bytes) }
        return exchange
    }

    // MARK: Streamed requests

    private func feed(
        _ easy: UnsafeMutableRawPointer,
        with bytes: AsyncThrowingStream<[UInt8], any Error>
    ) -> Task<Void, Never> {
        // The address names the exchange and is never followed here; `active` says whether it still is the same one.
        let key = UInt(bitPattern: easy)
        guard let exchange = active[easy] else { return Task {} }
        let mark = ObjectIdentifier(exchange)
        return Task { [weak self] in
            do {
                for try await chunk in bytes {
                    guard let self, try await self.take(chunk, for: key, mark) else { return }
                }
                await self?.endUpload(.success(()), for: key, mark)
            } catch {
                let cause = TransferError(.cancelled, "the source of the body broke off: \(error)")
                await self?.endUpload(.failure(cause), for: key, mark)
            }
        }
    }

    private func uploading(_ key: UInt, _ mark: ObjectIdentifier) -> CurlExchange? {
        guard let easy = UnsafeMutableRawPointer(bitPattern: key), let exchange = active[easy] else { return nil }
        return ObjectIdentifier(exchange) == mark ? exchange : nil
    }

    private func take(_ chunk: [UInt8], for key: UInt, _ mark: ObjectIdentifier) async throws -> Bool {
        guard let exchange = uploading(key, mark) else { return false }
        exchange.upload?.append(chunk)
        resumeUpload(exchange)
        if let room = exchange.upload?.needsRoom() { try await room.value() }
        return uploading(key, mark) != nil
    }

    private func endUpload(_ outcome: Result<Void, TransferError>, for key: UInt, _ mark: ObjectIdentifier) {
        guard let exchange = uploading(key, mark) else { return }
        exchange.upload?.finish(outcome)
        resumeUpload(exchange)
    }

    private func resumeUpload(_ exchange: CurlExchange) {
        guard exchange.upload?.isPaused == true else { return }
        exchange.upload?.noteResumed()
        resume(exchange)
    }

    private func resume(_ exchange: CurlExchange) {
        guard let easy = exchange.easy else { return }
        // It may call the exchange back at once. A failure ends the transfer in the next turn, which reports it.
        _ = curl_easy_pause(easy, CURLPAUSE_CONT)
    }

    // MARK: The loop

    nonisolated func turn() -> LoopWait {
        assumeIsolated { $0.drive() }
        return LoopWait()
    }

    nonisolated func sleep(_ wait: LoopWait, wake: CInt) {
        assumeIsolated { $0.poll(wake: wake) }
    }

    private func drive() {
        guard let multi else { return }
        var running: CInt = 0
        curl_multi_perform(multi, &running)
        var left: CInt = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            let code = message.pointee.data.result
            if let exchange = active[easy] { end(exchange, code) }
        }
    }

    private func poll(wake: CInt) {
        guard let multi else {
            // Closed: the loop looks about once a second until its last owner has let go of it.
            var descriptor = pollfd(fd: wake, events: Int16(POLLIN), revents: 0)
            _ = Self.pollOne(&descriptor, 1000)
            return
        }
        var extra = curl_waitfd(fd: wake, events: Int16(CURL_WAIT_POLLIN), revents: 0)
        // curl shortens the wait by its own timers; at rest there are none.
        curl_multi_poll(multi, &extra, 1, CInt.max, nil)
    }

    private static func pollOne(_ descriptor: inout pollfd, _ milliseconds: CInt) -> CInt {
        #if canImport(Glibc)
        Glibc.poll(&descriptor, 1, milliseconds)
        #else
        Darwin.poll(&descriptor, 1, milliseconds)
        #endif
    }

    private func abandon(_ exchange: CurlExchange, because error: TransferError) {
        guard exchange.easy != nil else { return }
        exchange.failure = exchange.failure ?? error
        end(exchange, CURLE_ABORTED_BY_CALLBACK)
    }

    private func end(_ exchange: CurlExchange, _ code: CURLcode) {
        guard let easy = exchange.easy else { return }
        exchange.easy = nil
        active[easy] = nil
        if let multi { curl_multi_remove_handle(multi, easy) }
        if spare.count < 64, !isClosed {
            curl_easy_reset(easy)
            spare.append(easy)
        } else {
            curl_easy_cleanup(easy)
        }
        exchange.finish(code)
        if exchange.flow != nil, let id = streams.first(where: { $0.value === exchange })?.key { streams[id] = nil }
    }
}
