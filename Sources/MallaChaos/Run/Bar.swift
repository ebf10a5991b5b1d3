// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How long something may take at most.
struct Bar: Sendable {
    /// The part of all values that must not be above it, 0 to 1.
    let part: Double
    let seconds: Double

    /// The bars by what is measured; the rest of the times has none.
    static let all: [String: Bar] = [
        "worker kill to next call": Bar(part: 1, seconds: 10),
        "App API kill to next step": Bar(part: 1, seconds: 10),
        "RabbitMQ back to next call": Bar(part: 1, seconds: 10),
        "cancel answered to handlers done": Bar(part: 0.99, seconds: 1),
    ]

    /// Such as `10 s`, or `1 s at p99`.
    var text: String { "\(Int(seconds)) s" + (part < 1 ? " at p\(Int((part * 100).rounded()))" : "") }

    /// Whether the values keep to it; nil without any.
    func holds(_ values: Percentiles) -> Bool? { values.at(part).map { $0 <= seconds } }
}
