// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import CHiredis
import Glibc
import Plumbing
import ResultStore

/// One hiredis context: dialled, used by one thread, dead after its first I/O error.
///
/// Never leaves its actor.
struct RedisConnection: ~Copyable {
    private let context: UnsafeMutablePointer<redisContext>

    private init(adopting context: UnsafeMutablePointer<redisContext>) {
        self.context = context
    }

    /// Connects, authenticates and selects the database; blocks for at most the settings' timeout a step.
    static func dial(_ settings: RedisSettings) throws(ResultStoreError) -> RedisConnection {
        let limit = timeval(settings.timeout)
        guard let context = redisConnectWithTimeout(settings.host, CInt(settings.port), limit) else {
            throw ResultStoreError("no memory for a connection")
        }
        let connection = RedisConnection(adopting: context)
        guard context.pointee.err == 0 else {
            throw ResultStoreError("\(settings.host):\(settings.port) can't be reached: \(message(context))")
        }
        redisSetTimeout(context, limit)
        redisEnableKeepAlive(context)
        if let password = settings.password {
            let credentials = [settings.user, password].compactMap { $0.map { Array($0.utf8) } }
            try connection.expectOK([Array("AUTH".utf8)] + credentials, "the password was refused")
        }
        if settings.database != 0 {
            let select = [Array("SELECT".utf8), Array(String(settings.database).utf8)]
            try connection.expectOK(select, "the database was refused")
        }
        return connection
    }

    deinit {
        redisFree(context)
    }

    /// The socket.
    var descriptor: CInt { context.pointee.fd }

    /// Sends commands as one pipeline and reads their replies.
    ///
    /// - Throws: when the connection broke; it must be thrown away then, unread replies lie in it.
    func perform(_ commands: [[[UInt8]]]) throws(ResultStoreError) -> [RedisReply] {
        for command in commands { append(command) }
        var replies: [RedisReply] = []
        replies.reserveCapacity(commands.count)
        for _ in commands { replies.append(try readReply()) }
        return replies
    }

    /// Sends one command without waiting for its replies; for SUBSCRIBE.
    func send(_ command: [[UInt8]]) throws(ResultStoreError) {
        append(command)
        var isDone: CInt = 0
        while isDone == 0 {
            guard redisBufferWrite(context, &isDone) == REDIS_OK else { throw ResultStoreError(Self.message(context)) }
        }
    }

    /// Reads what has arrived and returns the replies that are complete; call it when the socket is readable.
    func receive() throws(ResultStoreError) -> [RedisReply] {
        guard redisBufferRead(context) == REDIS_OK else { throw ResultStoreError(Self.message(context)) }
        var replies: [RedisReply] = []
        while true {
            var raw: UnsafeMutableRawPointer?
            guard redisGetReplyFromReader(context, &raw) == REDIS_OK else {
                throw ResultStoreError(Self.message(context))
            }
            guard let raw else { return replies }
            replies.append(Self.take(raw))
        }
    }

    private func expectOK(_ command: [[UInt8]], _ refusal: String) throws(ResultStoreError) {
        if case .error(let message)? = try perform([command]).first { throw ResultStoreError("\(refusal): \(message)") }
    }

    private func append(_ command: [[UInt8]]) {
        // One buffer holds all arguments, so that the pointers into it stay valid during the call; hiredis copies.
        let joined = command.flatMap { $0 }
        var lengths = command.map(\.count)
        joined.withUnsafeBytes { buffer in
            let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            var offset = 0
            var arguments: [UnsafePointer<CChar>?] = command.map { argument in
                defer { offset += argument.count }
                return start?.advanced(by: offset)
            }
            _ = redisAppendCommandArgv(context, CInt(command.count), &arguments, &lengths)
        }
    }

    private func readReply() throws(ResultStoreError) -> RedisReply {
        var raw: UnsafeMutableRawPointer?
        guard redisGetReply(context, &raw) == REDIS_OK, let raw else { throw ResultStoreError(Self.message(context)) }
        return Self.take(raw)
    }

    private static func take(_ raw: UnsafeMutableRawPointer) -> RedisReply {
        defer { freeReplyObject(raw) }
        return RedisReply(copying: raw.assumingMemoryBound(to: redisReply.self))
    }

    private static func message(_ context: UnsafeMutablePointer<redisContext>) -> String {
        withUnsafeBytes(of: &context.pointee.errstr) { buffer in
            String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

extension timeval {
    init(_ duration: Duration) {
        let microseconds = duration.wholeMicroseconds
        self.init(tv_sec: Int(microseconds / 1_000_000), tv_usec: Int(microseconds % 1_000_000))
    }
}
