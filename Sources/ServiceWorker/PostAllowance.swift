// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How often something may be sent without a confirm: as often as a broker hardly notices.
struct PostAllowance {
    private static let perSecond = 500.0
    private static let atOnce = 8.0

    private var left = PostAllowance.atOnce
    private var toldAt: ContinuousClock.Instant?

    /// Takes one; false when none is left.
    mutating func take(at now: ContinuousClock.Instant) -> Bool {
        if let toldAt { left = min(Self.atOnce, left + toldAt.duration(to: now) / .seconds(1) * Self.perSecond) }
        toldAt = now
        guard left >= 1 else { return false }
        left -= 1
        return true
    }
}
