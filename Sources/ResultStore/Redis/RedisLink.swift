// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Logging
import Metrics
import Plumbing
import ResultStore
import Synchronization

/// The connection for commands: whatever waits when it turns goes out as one pipeline.
actor RedisLink {
    /// A command and who waits for its reply; nobody for a write.
    struct Request: Sendable {
        var command: [[UInt8]]
        var answer: OneShot<RedisReply>?
    }

    private let loop = LoopThread(name: "malla-redis")
    private let settings: RedisSettings
    private let logger: Logger
    private var connection: RedisConnection?
    private var failures = 0
    private var nextDial = ContinuousClock.now
    private let backoff = Backoff(base: .milliseconds(100), cap: .seconds(5))
    private let dropped = Counter(label: "malla_redis_dropped_total")
    private let connected = Gauge(label: "malla_redis_connected")

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(settings: RedisSettings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    /// Performs requests; blocks this link's own thread while Redis answers.
    func perform(_ requests: [Request]) {
        do throws(ResultStoreError) {
            try dialIfNeeded()
            guard let replies = try connection?.perform(requests.map(\.command)) else {
                throw ResultStoreError("not connected")
            }
            for (request, reply) in zip(requests, replies) { request.answer?.finish(.success(reply)) }
        } catch {
            fail(requests, error)
        }
    }

    /// Ends the connection.
    func disconnect() {
        connection = nil
    }

    private func dialIfNeeded() throws(ResultStoreError) {
        guard connection == nil else { return }
        guard ContinuousClock.now >= nextDial else { throw ResultStoreError("not connected") }
        connection = try RedisConnection.dial(settings)
        if failures > 0 { logger.info("Redis is there again", metadata: [LogKey.server: "\(settings.host)"]) }
        failures = 0
        connected.record(1)
    }

    private func fail(_ requests: [Request], _ error: ResultStoreError) {
        if connection != nil || ContinuousClock.now >= nextDial {
            failures += 1
            nextDial = .now + backoff.delay(afterFailures: failures)
            connected.record(0)
            if failures == 1 {
                logger.warning(
                    "Redis does not answer; the mesh goes on without it",
                    metadata: [LogKey.server: "\(settings.host):\(settings.port)", LogKey.error: "\(error.reason)"]
                )
            }
        }
        connection = nil
        dropped.increment(by: requests.count { $0.answer == nil })
        for request in requests { request.answer?.finish(.failure(error)) }
    }
}
