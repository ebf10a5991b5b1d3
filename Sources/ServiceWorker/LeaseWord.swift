// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The ledger's last word on a lease, by this machine's clock, which runs on while the process is frozen.
///
/// A worker that was stopped or cut off may have lost its jobs meanwhile: no handler begins on an old word.
struct LeaseWord: Sendable, Hashable {
    typealias Instant = ContinuousClock.Instant

    /// For how long a word is taken as it is: a cancel of this long ago may not have been heard of yet.
    static let age = Duration.milliseconds(700)
    /// How old a word may be that was asked for and took long: an overloaded ledger must not be asked again and again.
    static let slow = Duration.seconds(2)
    /// How long after a beat nobody takes this worker for dead; the reaper waits for 6 s.
    static let lease = Duration.seconds(5)
    /// For how long a job may be ahead of the commit that creates it: one that the ledger does not know after that is
    /// dropped, and given back should its row come all the same.
    static let lead = Duration.seconds(3)

    /// The ledger gave the word at this moment or later.
    var at: Instant
    /// Until then the lease can't have been given to another.
    var until: Instant

    /// What a claim says that was sent at `sentAt`, after a beat that was sent at `beatAt`.
    init(claimSentAt sentAt: Instant, beatAt: Instant?) {
        at = sentAt
        // Without a beat the reaper may take the worker for dead at once.
        until = beatAt.map { $0 + Self.lease } ?? sentAt
    }

    /// What a beat says that was sent at `beatAt` and found the lease held.
    init(beatAt: Instant) {
        at = beatAt
        until = beatAt + Self.lease
    }

    /// Whether a handler may begin on it.
    func isFresh(_ now: Instant) -> Bool { now < at + Self.age && now < until }

    /// Whether the lease is the worker's still, although a cancel may not have been heard of.
    func isSafe(_ now: Instant) -> Bool { now < until }
}
