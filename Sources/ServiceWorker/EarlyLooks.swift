// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// When to ask again what of a nearly full outbox is settled: pure, no clock of its own.
///
/// Each lease that is asked about costs the ledger a read, and completions are settled about in the order in which they
/// were sent. So a part of them is asked about at a time, the first that were sent, and the next part when about as
/// many more will be settled.
struct EarlyLooks {
    typealias Instant = ContinuousClock.Instant

    /// How many leases are asked about at once.
    static let size = 1000
    /// How many looks are about a lease at most; after them it is left to the beats, as whoever settles it may be away.
    static let perLease = 4
    private static let shortest: Duration = .milliseconds(50)
    private static let longest: Duration = .milliseconds(500)
    private static let mostInVain = 5

    private var inVain = 0
    private var last: Instant?

    /// A look was answered; returns the pause until the next one, nil when asking more often than the beats does not
    /// help: nobody settles.
    ///
    /// - Parameters:
    ///   - asked: how many leases it was about.
    ///   - settled: how many of them are settled.
    ///   - begun: when the look was sent.
    ///   - ended: when it was answered.
    mutating func pause(asked: Int, settled: Int, from begun: Instant, to ended: Instant) -> Duration? {
        let interval = begun - (last ?? begun)
        last = begun
        // Looks take a fifth of the time at most, however long each takes.
        let least = max(Self.shortest, (ended - begun) * 4)
        guard settled > 0 else {
            inVain += 1
            return inVain < Self.mostInVain ? max(least, Self.shortest * (1 << inVain)) : nil
        }
        inVain = 0
        // Where all were settled, more may have been: the next look comes sooner.
        let next = settled == asked ? interval / 2 : interval * asked / settled
        return max(least, min(next - (ended - begun), Self.longest))
    }
}
