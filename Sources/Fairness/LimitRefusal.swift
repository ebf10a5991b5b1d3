// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Why a request is refused for now: answered by 429.
public struct LimitRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    /// The limit and whose it is, such as `requests_per_second of user 'acme'`.
    public let limit: String
    /// What it allows, such as `50` or `2 in 10 s`.
    public let value: String
    /// Seconds after which it is worth trying again, at least 1; for `Retry-After`.
    public let retryAfter: Int

    /// Makes a refusal.
    public init(limit: String, value: String, retryAfter: Int) {
        self.limit = limit
        self.value = value
        self.retryAfter = max(1, retryAfter)
    }

    /// The refusal in words, for the caller.
    public var description: String { "limit reached: \(limit) is \(value); try again in \(retryAfter) s" }
}
