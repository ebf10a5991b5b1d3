// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Logging
internal import Plumbing
public import ResultStore
import Synchronization

/// The result store on Redis 6.2 or later, over hiredis.
public final class RedisResultStore: ResultStore {
    private struct Outgoing {
        var requests: [RedisLink.Request] = []
        var isScheduled = false
        var isClosed = false
        var listeners: [Int: AsyncStream<Hint>.Continuation] = [:]
        var nextListener = 0
        var listener: RedisListener?
    }

    /// Requests that may wait; writes beyond are dropped, since nothing depends on them.
    private static let waitingLimit = 50_000
    /// How many ids one message of hints may hold: 64 KiB.
    private static let hintLength = 4096
    /// As a script, since a counter may expire between two commands, and would then stay for ever.
    private static let addition = """
        local sum = redis.call('INCRBY', KEYS[1], ARGV[1])
        if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
        return sum
        """

    private let settings: RedisSettings
    private let logger: Logger
    private let link: RedisLink
    private let outgoing = Mutex(Outgoing())

    /// Makes a store; it connects with its first request.
    public init(settings: RedisSettings, logger: Logger) {
        self.settings = settings
        self.logger = logger
        link = RedisLink(settings: settings, logger: logger)
    }

    /// Keeps results for a while.
    public func put(_ entries: [(key: ResultKey, value: [UInt8])], timeToLive: Duration) {
        let milliseconds = String(max(1, timeToLive.wholeMilliseconds))
        enqueue(entries.map { write("SET", $0.key.text, $0.value, "PX", milliseconds) })
    }

    /// Reads a result.
    public func get(_ key: ResultKey) async throws(ResultStoreError) -> [UInt8]? {
        try await ask("GET", key.text).bytes
    }

    /// Appends to a stream.
    public func append(_ value: [UInt8], to key: ResultKey, timeToLive: Duration) {
        let milliseconds = String(max(1, timeToLive.wholeMilliseconds))
        enqueue([
            write("XADD", key.text, "MAXLEN", "~", "5000", "*", "v", value),
            write("PEXPIRE", key.text, milliseconds),
        ])
    }

    /// Reads entries of a stream.
    public func entries(
        of key: ResultKey,
        after id: String?,
        limit: Int
    ) async throws(ResultStoreError) -> [(id: String, value: [UInt8])] {
        let start = id.map { "(\($0)" } ?? "-"
        return Self.entries(try await ask("XRANGE", key.text, start, "+", "COUNT", String(limit)))
    }

    /// The last entry of a stream.
    public func lastEntry(of key: ResultKey) async throws(ResultStoreError) -> [UInt8]? {
        Self.entries(try await ask("XREVRANGE", key.text, "+", "-", "COUNT", "1")).first?.value
    }

    /// Tells everybody who listens to this Redis.
    public func tell(_ hint: Hint) {
        enqueue(hint.parts(of: Self.hintLength).map { write("PUBLISH", RedisListener.channel, $0.bytes) })
    }

    /// Listens to hints.
    public func hints() -> AsyncStream<Hint> {
        let (stream, continuation) = AsyncStream<Hint>.makeStream(bufferingPolicy: .bufferingNewest(1024))
        let (number, fresh) = outgoing.withLock { outgoing -> (Int, RedisListener?) in
            defer { outgoing.nextListener += 1 }
            outgoing.listeners[outgoing.nextListener] = continuation
            guard outgoing.listener == nil else { return (outgoing.nextListener, nil) }
            let listener = RedisListener(settings: settings, logger: logger) { [weak self] in self?.pass(on: $0) }
            outgoing.listener = listener
            return (outgoing.nextListener, listener)
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.outgoing.withLock { $0.listeners.removeValue(forKey: number) }
        }
        // The listener's thread attaches it; nothing here waits for that.
        if let fresh { Task { await fresh.start() } }
        return stream
    }

    /// Adds to a counter in one step, which also gives a new one its time to live.
    public func add(_ amount: Int, to counter: String, timeToLive: Duration) async throws(ResultStoreError) -> Int {
        let milliseconds = String(max(1, timeToLive.wholeMilliseconds))
        let key = "malla:count:" + counter
        guard case .integer(let sum) = try await ask("EVAL", Self.addition, "1", key, String(amount), milliseconds)
        else { throw ResultStoreError("a counter is no number") }
        return sum
    }

    /// Answers when Redis does.
    public func ping() async throws(ResultStoreError) {
        _ = try await ask("PING")
    }

    /// Ends the connections after what waits.
    public func close() async {
        let (listener, listeners) = outgoing.withLock { outgoing in
            outgoing.isClosed = true
            return (outgoing.listener, Array(outgoing.listeners.values))
        }
        for continuation in listeners { continuation.finish() }
        await listener?.close()
        await drain()
        await link.disconnect()
    }

    private func pass(on hint: Hint) {
        let listeners = outgoing.withLock { Array($0.listeners.values) }
        for listener in listeners { listener.yield(hint) }
    }

    private func write(_ parts: any RedisArgument...) -> RedisLink.Request {
        .init(command: parts.map(\.redisBytes))
    }

    private func ask(_ parts: any RedisArgument...) async throws(ResultStoreError) -> RedisReply {
        let answer = OneShot<RedisReply>()
        enqueue([.init(command: parts.map(\.redisBytes), answer: answer)])
        let reply: RedisReply
        do {
            reply = try await answer.value()
        } catch let error as ResultStoreError {
            throw error
        } catch {
            throw ResultStoreError("the caller was cancelled")
        }
        if case .error(let message) = reply { throw ResultStoreError(message) }
        return reply
    }

    private func enqueue(_ requests: [RedisLink.Request]) {
        let (mustSchedule, refused) = outgoing.withLock { outgoing -> (Bool, Bool) in
            guard !outgoing.isClosed, outgoing.requests.count < Self.waitingLimit else { return (false, true) }
            outgoing.requests += requests
            defer { outgoing.isScheduled = true }
            return (!outgoing.isScheduled, false)
        }
        if refused {
            for request in requests { request.answer?.finish(.failure(ResultStoreError("too much waits, or closed"))) }
        }
        // Not a child of any caller: the batch holds the requests of many.
        if mustSchedule { Task { await drain() } }
    }

    private func drain() async {
        let batch = outgoing.withLock { outgoing in
            defer {
                outgoing.requests = []
                outgoing.isScheduled = false
            }
            return outgoing.requests
        }
        if !batch.isEmpty { await link.perform(batch) }
    }

    private static func entries(_ reply: RedisReply) -> [(id: String, value: [UInt8])] {
        (reply.array ?? []).compactMap { entry in
            guard let parts = entry.array, parts.count == 2, let id = parts[0].bytes,
                let value = parts[1].array?.last?.bytes
            else { return nil }
            return (String(decoding: id, as: UTF8.self), value)
        }
    }
}

extension Hint {
    /// The hint in pieces of at most so many ids; none when there is nothing to tell.
    fileprivate func parts(of length: Int) -> [Hint] {
        func split(_ ids: [MeshID]) -> [[MeshID]] {
            stride(from: 0, to: ids.count, by: length).map { Array(ids[$0..<min($0 + length, ids.count)]) }
        }
        return switch self {
        case .cancelled(let leases): split(leases).map { .cancelled($0) }
        case .ended(let jobs): split(jobs).map { .ended($0) }
        case .waiting: [self]
        }
    }
}

/// What a Redis command is made of.
private protocol RedisArgument {
    var redisBytes: [UInt8] { get }
}

extension String: RedisArgument {
    fileprivate var redisBytes: [UInt8] { Array(utf8) }
}

extension [UInt8]: RedisArgument {
    fileprivate var redisBytes: [UInt8] { self }
}
