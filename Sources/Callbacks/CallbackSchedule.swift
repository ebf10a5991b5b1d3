// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing

/// When a callback is tried again.
struct CallbackSchedule: Sendable {
    /// The delay before each attempt.
    let delays: [Duration]
    /// How much may be added to a delay, so that receivers' retries spread; a part of it.
    let spread: Double
    /// The longest wait that a receiver can ask for.
    let longestWait: Duration

    /// As Standard Webhooks suggests: ten attempts within about three days.
    static let standardWebhooks = CallbackSchedule(
        delays: [
            .zero, .seconds(5), .seconds(300), .seconds(1800), .seconds(2 * 3600), .seconds(5 * 3600),
            .seconds(10 * 3600), .seconds(14 * 3600), .seconds(20 * 3600), .seconds(24 * 3600),
        ],
        spread: 0.2,
        longestWait: .seconds(24 * 3600)
    )

    /// As RunPod does: two more tries, 10 s apart, whatever the receiver asks for.
    static let runPod = CallbackSchedule(
        delays: [.zero, .seconds(10), .seconds(10)],
        spread: 0,
        longestWait: .zero
    )

    /// The schedule of this callback: RunPod's for a direct job's webhook, else the operator's or Standard Webhooks'.
    static func of(_ callback: CallbackRecord, retries: [Duration]? = nil) -> CallbackSchedule {
        if callback.app == CallbackRecord.directApp { return runPod }
        let standard = standardWebhooks
        guard let retries else { return standard }
        return CallbackSchedule(delays: retries, spread: standard.spread, longestWait: standard.longestWait)
    }

    /// How long to wait after `attempts` attempts; nil when there is none left.
    ///
    /// - Parameters:
    ///   - retryAfter: what the receiver asked for; the wait is at least that.
    ///   - jitter: 0 to 1, how much of the spread is added.
    func wait(
        afterAttempts attempts: Int,
        retryAfter: Duration?,
        jitter: Double = .random(in: 0...1)
    ) -> Duration? {
        guard attempts < delays.count else { return nil }
        let planned = delays[max(0, attempts)] * (1 + spread * jitter)
        return max(planned, min(retryAfter ?? .zero, longestWait))
    }
}
