// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// A limit on requests: so many within each window of time.
struct RateRule: Sendable, Hashable {
    /// What is counted, for the store: `u:acme`.
    var key: String
    /// The limit and whose it is, for the caller.
    var limit: String
    /// What it allows, for the caller.
    var value: String
    /// Requests in one window.
    var count: Int
    /// The window's length in milliseconds.
    var window: Int64

    /// The rule of an allowance: a burst, then nothing until its time at the rate is over.
    init?(_ allowance: Allowance, key: String, whose: String) {
        guard let rate = allowance.requestsPerSecond else { return nil }
        let count = allowance.burst ?? max(1, Int(rate.rounded(.up)))
        self.key = key
        limit = "requests_per_second of \(whose)"
        value = rate.formatted
        self.count = count
        window = max(1, Int64((Double(count) / rate * 1000).rounded(.up)))
    }

    /// The rule of an endpoint: so many in 10 seconds.
    init(_ endpoint: LimitedEndpoint, count: Int) {
        key = "e:\(endpoint.operation.rawValue):\(endpoint.service)"
        limit = "\(endpoint.operation.rawValue) of service '\(endpoint.service)'"
        value = "\(count) in 10 s"
        self.count = count
        window = 10_000
    }

    /// The number of the window that a moment falls into.
    func index(at moment: Timestamp) -> Int64 { moment.microseconds / 1000 / window }

    /// The refusal at a moment: it is worth trying again in the next window.
    func refusal(at moment: Timestamp) -> LimitRefusal {
        let left = window - moment.microseconds / 1000 % window
        return LimitRefusal(limit: limit, value: value, retryAfter: Int((left + 999) / 1000))
    }
}
