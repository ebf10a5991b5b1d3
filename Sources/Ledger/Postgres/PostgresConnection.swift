// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import CPostgres
import Ledger
import Plumbing
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// One connection in libpq's pipeline mode, an actor on its own thread.
///
/// A group of calls goes out with one sync point, so it costs one round trip, and without `BEGIN` it is one
/// transaction. Whoever leased the connection from the pool has it alone: one group is under way at a time.
actor PostgresConnection: LoopSource {
    private let loop: LoopThread
    private var handle: OpaquePointer?
    private var prepared: Set<String> = []
    private var group: PostgresGroup?
    /// Whether calls may still succeed; read by the pool without a hop.
    nonisolated let isUsable = Atomic<Bool>(false)

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init() {
        loop = LoopThread(name: "malla-pg")
    }

    // MARK: Life

    /// Connects; blocks this connection's own thread for at most the connection timeout, five seconds by default.
    func open(_ settings: PostgresSettings, isQuick: Bool) throws(LedgerError) {
        // libpq's own words about a bad URL quote it, password and all.
        guard let options = PQconninfoParse(settings.url, nil) else {
            throw LedgerError(.misuse, "the PostgreSQL URL can't be parsed")
        }
        let hasStrayAt = Self.hasStrayAt(options)
        PQconninfoFree(options)
        // Libpq takes what follows the first @ for the host, and its message would name a part of the password.
        guard !hasStrayAt else {
            throw LedgerError(.misuse, "the PostgreSQL URL has an @ too many: in a password it is written %40")
        }
        guard let handle = Self.dial(settings.url) else { throw LedgerError(.unavailable, "out of memory") }
        // Notices would go to stderr.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        guard PQstatus(handle) == CONNECTION_OK else {
            let reason = Self.message(of: handle)
            PQfinish(handle)
            throw LedgerError(.unavailable, reason)
        }
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
            PQfinish(handle)
            throw LedgerError(.unavailable, "the connection can't be used in pipeline mode")
        }
        self.handle = handle
        loop.attach(self)
        isUsable.store(true, ordering: .releasing)
    }

    private static func hasStrayAt(_ options: UnsafeMutablePointer<PQconninfoOption>) -> Bool {
        var option = options
        while let keyword = option.pointee.keyword {
            if String(cString: keyword) == "host", let value = option.pointee.val, strchr(value, 0x40) != nil {
                return true
            }
            option += 1
        }
        return false
    }

    private static func dial(_ url: String) -> OpaquePointer? {
        // Defaults come before the URL, which may override them.
        let parameters = [
            ("fallback_application_name", "malla"), ("connect_timeout", "5"), ("keepalives", "1"),
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "15000"), ("client_encoding", "UTF8"), ("dbname", url),
        ]
        // Duplicated for the call only; libpq copies them.
        var keys = parameters.map { UnsafePointer<CChar>(strdup($0.0)) } + [nil]
        var values = parameters.map { UnsafePointer<CChar>(strdup($0.1)) } + [nil]
        defer {
            for text in keys + values { free(UnsafeMutablePointer(mutating: text)) }
        }
        return PQconnectdbParams(&keys, &values, 1)
    }

    /// Ends the connection on its own thread; a group under way fails.
    func shut() {
        fail(LedgerError(.unavailable, "the connection was closed"))
    }

    private func fail(_ error: LedgerError) {
        isUsable.store(false, ordering: .releasing)
        if let handle { PQfinish(handle) }
        handle = nil
        // An inert source: the loop must not keep a connection that is over.
        loop.attach(InertSource())
        let group = self.group
        self.group = nil
        group?.answer.finish(.failure(error))
    }

    private static func message(of handle: OpaquePointer) -> String {
        let text = PQerrorMessage(handle).map { String(cString: $0) } ?? "no reason given"
        return text.split(separator: "\n").first.map(String.init) ?? "no reason given"
    }

    // MARK: Calls

    /// Performs calls in one round trip; returns the rows of each.
    ///
    /// - Parameter limit: how long to wait for the server before the connection is given up.
    func run(_ calls: [PostgresCall], limit: Duration) async throws(LedgerError) -> [PostgresRows] {
        let answer = try send(calls, limit: limit)
        do {
            // A cancelled caller must not leave a connection with a transaction half done.
            return try await answer.valueInAnyCase()
        } catch {
            throw error as? LedgerError ?? LedgerError(.unavailable, "\(error)")
        }
    }

    /// Rolls back what a failed transaction left open, so that the next lease starts clean.
    func abandonTransaction() async {
        guard let handle, group == nil, PQtransactionStatus(handle) != PQTRANS_IDLE else { return }
        do {
            _ = try await run([PostgresCall(.rollback)], limit: .seconds(5))
        } catch {
            fail(error)
        }
    }

    private func send(_ calls: [PostgresCall], limit: Duration) throws(LedgerError) -> OneShot<[PostgresRows]> {
        guard let handle else { throw LedgerError(.unavailable, "the connection is closed") }
        guard group == nil else { throw LedgerError(.misuse, "two groups at once on one connection") }
        var group = PostgresGroup(deadline: .now + limit)
        for call in calls {
            let statement = call.statement
            if !statement.name.isEmpty, prepared.insert(statement.name).inserted {
                group.steps.append(.prepare(statement))
                guard PQsendPrepare(handle, statement.name, statement.text, 0, nil) == 1 else {
                    throw broken(handle)
                }
            }
            group.steps.append(.execute(statement))
            guard Self.send(call, on: handle) else { throw broken(handle) }
        }
        guard PQpipelineSync(handle) == 1 else { throw broken(handle) }
        self.group = group
        return group.answer
    }

    private static func send(_ call: PostgresCall, on handle: OpaquePointer) -> Bool {
        call.bytes.withUnsafeBytes { bytes in
            // An empty value still needs an address: nil means null.
            let base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)
            let values = call.spans.map { span -> UnsafePointer<CChar>? in
                span.flatMap { base?.advanced(by: $0.lowerBound).assumingMemoryBound(to: CChar.self) }
            }
            let lengths = call.spans.map { CInt($0?.count ?? 0) }
            let formats = [CInt](repeating: 1, count: values.count)
            let count = CInt(values.count)
            if call.statement.name.isEmpty {
                return PQsendQueryParams(handle, call.statement.text, count, nil, values, lengths, formats, 1) == 1
            }
            return PQsendQueryPrepared(handle, call.statement.name, count, values, lengths, formats, 1) == 1
        }
    }

    private func broken(_ handle: OpaquePointer) -> LedgerError {
        let error = LedgerError(.unavailable, Self.message(of: handle))
        fail(error)
        return error
    }

    // MARK: The loop

    nonisolated func turn() -> LoopWait { assumeIsolated { $0.flushAndRead() } }

    private func flushAndRead() -> LoopWait {
        guard let handle else { return LoopWait() }
        let unsent = PQflush(handle)
        let isReadable = PQconsumeInput(handle) == 1
        // What arrived before a break still counts, above all the answer to a COMMIT.
        drain(handle)
        guard self.handle != nil else { return LoopWait() }
        guard unsent >= 0, isReadable, PQstatus(handle) == CONNECTION_OK else {
            fail(LedgerError(.unavailable, Self.message(of: handle)))
            return LoopWait()
        }
        var timeout: CInt = -1
        if let group {
            let left = group.deadline - .now
            guard left > .zero else {
                fail(LedgerError(.timeout, "the server does not answer"))
                return LoopWait()
            }
            timeout = CInt(clamping: left.wholeMilliseconds + 1)
        }
        let isSending = unsent == 1
        return LoopWait(
            descriptor: PQsocket(handle),
            events: Int16(POLLIN) | (isSending ? Int16(POLLOUT) : 0),
            timeoutMilliseconds: timeout
        )
    }

    private func drain(_ handle: OpaquePointer) {
        // Each step yields a result and a null; three nulls in a row mean that there is nothing more.
        var nulls = 0
        while group != nil, nulls < 3, PQisBusy(handle) == 0 {
            guard let raw = PQgetResult(handle) else {
                nulls += 1
                continue
            }
            nulls = 0
            take(PostgresResult(adopting: raw))
        }
    }

    private func take(_ result: consuming PostgresResult) {
        guard var group else { return }
        let status = result.status
        if status == PGRES_PIPELINE_SYNC {
            self.group = nil
            group.finish()
            return
        }
        let step = group.step
        switch status {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
            if case .execute = step { group.rows.append(result.rows()) }
        default:
            if case .prepare(let statement) = step { prepared.remove(statement.name) }
            if status != PGRES_PIPELINE_ABORTED, group.error == nil {
                group.error = LedgerError(sqlState: result.sqlState, message: result.message, in: step?.statement)
            }
        }
        group.next += 1
        self.group = group
    }
}

/// Takes the place of a connection that is over in its loop.
private final class InertSource: LoopSource {
    func turn() -> LoopWait { LoopWait() }
}
