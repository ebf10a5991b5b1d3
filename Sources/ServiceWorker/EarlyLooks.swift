// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// When to ask again what of a nearly full outbox is settled, and of how much of it at once: pure, no clock of its own.
///
/// Each lease that is asked about costs the ledger a read, and completions are settled about in the order in which they
/// were sent. So a part of them is asked about at a time, the first that were sent, and the next part when about as
/// many more will be settled.
struct EarlyLooks {
    typealias Instant = ContinuousClock.Instant

    /// How many leases are asked about at once.
    static let size = 1000
    /// After so many looks in vain at a lease others go before it.
    static let most = 4
    private static let shortest: Duration = .milliseconds(50)
    /// A worker that has become full is told of room after so long at the latest.
    private static let longest: Duration = .milliseconds(250)

    /// How many were asked about since one of them was settled.
    private var inVain = 0
    private var last: Instant?

    /// A look was answered; returns the pause until the next one, nil when asking more often than the beats does not
    /// help: nobody settles.
    ///
    /// - Parameters:
    ///   - asked: how many leases it was about.
    ///   - settled: how many of them are settled.
    ///   - kept: how many completions the outbox has now.
    ///   - begun: when the look was sent.
    ///   - ended: when it was answered.
    mutating func pause(asked: Int, settled: Int, kept: Int, from begun: Instant, to ended: Instant) -> Duration? {
        let since = begun - (last ?? begun)
        last = begun
        guard settled > 0 else {
            inVain += asked
            return inVain < kept * Self.most ? Self.shortest : nil
        }
        inVain = 0
        // As long as it took until these were settled, times as many as are to be settled until the next look.
        let wait = since * asked / settled - (ended - begun)
        return min(max(wait, (ended - begun) * 4, Self.shortest), Self.longest)
    }
}
