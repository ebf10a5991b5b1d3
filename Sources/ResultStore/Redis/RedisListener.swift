// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Glibc
import Logging
import Plumbing
import ResultStore

/// The connection that listens to hints: subscribes, hands them on, dials again when it breaks.
actor RedisListener: LoopSource {
    private let loop = LoopThread(name: "malla-redis-sub")
    private let settings: RedisSettings
    private let logger: Logger
    private let onHint: @Sendable (Hint) -> Void
    private var connection: RedisConnection?
    private var failures = 0
    private var nextDial = ContinuousClock.now
    private var isClosed = false
    private let backoff = Backoff(base: .milliseconds(200), cap: .seconds(5))

    static let channel = Array("malla:hints".utf8)

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(settings: RedisSettings, logger: Logger, onHint: @escaping @Sendable (Hint) -> Void) {
        self.settings = settings
        self.logger = logger
        self.onHint = onHint
    }

    /// Begins to listen.
    func start() {
        loop.attach(self)
    }

    /// Ends it.
    func close() {
        isClosed = true
        connection = nil
        loop.detach()
    }

    nonisolated func turn() -> LoopWait {
        assumeIsolated { $0.listen() }
    }

    private var isConnected: Bool {
        switch connection {
        case .some: true
        case nil: false
        }
    }

    private func listen() -> LoopWait {
        guard !isClosed else { return LoopWait() }
        do throws(ResultStoreError) {
            guard isConnected else { return try dial() }
            try handOn()
        } catch {
            connection = nil
            failures += 1
            nextDial = .now + backoff.delay(afterFailures: failures)
            logger.debug("hints are not heard now", metadata: [LogKey.error: "\(error.reason)"])
            return waitToDial()
        }
        return waitForHints()
    }

    private func dial() throws(ResultStoreError) -> LoopWait {
        guard ContinuousClock.now >= nextDial else { return waitToDial() }
        let fresh = try RedisConnection.dial(settings)
        try fresh.send([Array("SUBSCRIBE".utf8), Self.channel])
        connection = consume fresh
        failures = 0
        return waitForHints()
    }

    private func handOn() throws(ResultStoreError) {
        guard let descriptor = connection?.descriptor, isReadable(descriptor) else { return }
        let replies = try connection?.receive() ?? []
        for reply in replies {
            // A message is ["message", channel, payload].
            guard let parts = reply.array, parts.count == 3, let payload = parts[2].bytes else { continue }
            if let hint = Hint(bytes: payload) { onHint(hint) }
        }
    }

    private func isReadable(_ descriptor: CInt) -> Bool {
        var probe = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&probe, 1, 0) > 0
    }

    private func waitForHints() -> LoopWait {
        LoopWait(descriptor: connection?.descriptor ?? -1, events: Int16(POLLIN))
    }

    private func waitToDial() -> LoopWait {
        let pause = max(1, (nextDial - ContinuousClock.now).wholeMilliseconds + 1)
        return LoopWait(timeoutMilliseconds: CInt(min(pause, 60_000)))
    }
}
