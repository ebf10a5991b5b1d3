// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// What follows from a change of a ``FeedState``, carried out after its lock is released.
enum FeedEffect: Sendable {
    /// A held call is answered with jobs; given back when nobody waits for the answer any more.
    case give(OneShot<[FeedGift]>, [FeedGift])
    /// A held call is answered with jobs to stop.
    case stop(OneShot<[String]>, [String])
    /// A job's outcome is known.
    case settle(OneShot<HandlerOutcome>, HandlerOutcome)
    /// The ledger must say whether a waiting job may begin.
    case confirm(UInt64, BeginPermit)
    /// A process asked for its first job.
    case ready(process: String)
    /// A process handed in its first result.
    case served(process: String)
    /// A process wants to be replaced and has no jobs left.
    case retire(process: String)
    /// A process must be killed.
    case kill(process: String, reason: String)
    /// Jobs wait for their batch to fill until then.
    case look(at: ContinuousClock.Instant)
}
