// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import CoreMetrics
internal import Logging
internal import Plumbing

/// The way to the broker and back: one connection, made when something wants it and made again with back-off.
///
/// Not `Sendable`: part of an actor. It knows nothing of what the connection is for.
struct RabbitDialler {
    let settings: RabbitSettings
    let role: String
    let logger: Logger
    let numbers: RabbitNumbers
    /// Ends a call that is stuck; shorter than a publish may take, so that its deadline can be kept.
    let watchdog: Watchdog
    private let backoff = Backoff(base: .milliseconds(100), cap: .seconds(5))
    private var failures = 0
    private var nextTry = ContinuousClock.now
    private var hasBeenUp = false
    /// Why the connection is away, for the answers to those who wait.
    private(set) var lastFailure = AMQPFailure(kind: .broken, reason: "not connected yet")

    init(settings: RabbitSettings, role: String, logger: Logger) {
        self.settings = settings
        self.role = role
        self.logger = logger
        numbers = RabbitNumbers(role: role)
        watchdog = Watchdog(limit: min(.seconds(4), settings.publishDeadline / 2))
    }

    /// What those who wait are told while the connection is away.
    var awayError: BrokerError {
        if case .refused = lastFailure.kind {
            return BrokerError(.refused, "\(settings.address): \(lastFailure.reason)")
        }
        return BrokerError(.unavailable, "\(settings.address): \(lastFailure.reason)")
    }

    /// Whether the login was refused and has never worked, so that waiting makes no sense.
    var isHopeless: Bool {
        if case .refused = lastFailure.kind { return !hasBeenUp }
        return false
    }

    /// When to try next, nil for now.
    func pause(at now: ContinuousClock.Instant) -> Duration? {
        nextTry > now ? now.duration(to: nextTry) : nil
    }

    /// Makes the connection and prepares it; nil when that fails, which counts.
    ///
    /// - Parameter before: when somebody's patience ends, so that a silent server does not hold the loop beyond it.
    mutating func dial(
        before deadline: ContinuousClock.Instant?,
        prepare: (AMQPLink) throws(AMQPFailure) -> Void
    ) -> AMQPLink? {
        let now = ContinuousClock.now
        var limit = Duration.seconds(3)
        if let deadline { limit = max(.milliseconds(200), min(limit, now.duration(to: deadline) / 2)) }
        do throws(AMQPFailure) {
            let link = try AMQPLink(
                settings: settings,
                name: "malla \(role)",
                limit: limit,
                watchdog: watchdog
            )
            try prepare(link)
            if hasBeenUp { numbers.reconnects.increment() }
            hasBeenUp = true
            failures = 0
            numbers.connected.record(1)
            logger.info("connected to the broker", metadata: [LogKey.server: "\(settings.address)", "role": "\(role)"])
            return link
        } catch {
            wait(after: error)
            return nil
        }
    }

    /// Notes that the connection broke.
    mutating func lost(_ failure: AMQPFailure) {
        numbers.connected.record(0)
        wait(after: failure)
    }

    /// A loop's sleep, rounded up so that the turn after it finds its moment reached.
    static func milliseconds(_ duration: Duration) -> CInt {
        CInt(clamping: max(1, duration.wholeMilliseconds + 1))
    }

    private mutating func wait(after failure: AMQPFailure) {
        lastFailure = failure
        failures += 1
        let delay = backoff.delay(afterFailures: failures)
        nextTry = .now + delay
        let metadata: Logger.Metadata = [
            LogKey.server: "\(settings.address)", "role": "\(role)", LogKey.error: "\(failure.reason)",
            LogKey.duration: "\(Quantity.text(delay))",
        ]
        // The first failure is news, the later ones say the same.
        logger.log(level: failures == 1 ? .warning : .debug, "the broker is away, trying again", metadata: metadata)
    }
}
