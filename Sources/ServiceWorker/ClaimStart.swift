// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// From which rank on a line looks for due jobs: pure, no clock of its own.
///
/// PostgreSQL steps over every job that was claimed since its last vacuum before it comes to the first that is due:
/// thousands after a busy minute. So a line that has just looked at all jobs begins where it found the first. It is as
/// if jobs of lower ranks that come meanwhile, more urgent ones or such as are due again, came when it looks at all
/// again: after 50 ms at most, or when there are not enough others.
struct ClaimStart {
    typealias Instant = ContinuousClock.Instant

    private static let life: Duration = .milliseconds(50)
    private var rank: Int64?
    private var end: Instant?

    init() {}

    /// The rank to begin at; nil to look at all jobs.
    func rank(at now: Instant) -> Int64? {
        guard let end, now < end else { return nil }
        return rank
    }

    /// All jobs were looked at.
    ///
    /// - Parameters:
    ///   - first: the lowest rank that was found; nil when there were not enough.
    ///   - moment: when the look began.
    mutating func lookedAtAll(first: Int64?, at moment: Instant) {
        rank = first
        end = moment.advanced(by: Self.life)
    }
}
