// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// When a callback is tried again, as Standard Webhooks suggests: ten attempts within about three days.
enum CallbackSchedule {
    /// The delay before each attempt.
    static let delays: [Duration] = [
        .zero, .seconds(5), .seconds(300), .seconds(1800), .seconds(2 * 3600), .seconds(5 * 3600),
        .seconds(10 * 3600), .seconds(14 * 3600), .seconds(20 * 3600), .seconds(24 * 3600),
    ]

    /// The longest wait that a receiver can ask for.
    static let longestWait: Duration = .seconds(24 * 3600)

    /// How long to wait after `attempts` attempts; nil when there is none left.
    ///
    /// - Parameters:
    ///   - retryAfter: what the receiver asked for; the wait is at least that.
    ///   - jitter: 0 to 1, how much of the up to 20 % that spread receivers' retries is added.
    static func wait(
        afterAttempts attempts: Int,
        retryAfter: Duration?,
        jitter: Double = .random(in: 0...1)
    ) -> Duration? {
        guard attempts < delays.count else { return nil }
        let planned = delays[max(0, attempts)] * (1 + 0.2 * jitter)
        return max(planned, min(retryAfter ?? .zero, longestWait))
    }
}
