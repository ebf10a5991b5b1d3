// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// How far a user's jobs reach in the queue of a service: what every API tells the others of the ranks it gave out.
public struct FairTail: Sendable, Hashable {
    /// The lane of a service.
    public var lane: FairRanks.Lane
    /// The user.
    public var user: String
    /// The virtual time at which the user's last job ends.
    public var finish: Int64

    /// Makes a tail.
    public init(lane: FairRanks.Lane, user: String, finish: Int64) {
        self.lane = lane
        self.user = user
        self.finish = finish
    }
}

/// Where the queues of a service stand: what every API must know to give out ranks.
public struct FairView: Sendable {
    /// The tails that any API has told of, as far as they lie ahead of their queue's head.
    public var tails: [FairTail] = []
    /// The rank of the job that is due first in each lane; a lane without due jobs has none.
    public var heads: [FairRanks.Lane: Int64] = [:]

    /// Makes a view.
    public init(tails: [FairTail] = [], heads: [FairRanks.Lane: Int64] = [:]) {
        self.tails = tails
        self.heads = heads
    }
}
