// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Gives out the ranks by which a service's jobs are claimed: by priority, then by each user's fair share.
///
/// Start-time fair queueing (Goyal, Vin and Cheng, 1996) with one unit of virtual time a job: a user's next job starts
/// where the last one ends, or where the queue stands now, whichever is later; a weight makes a user's units shorter.
/// So one user's 10,000 jobs lie one unit apart, and another's single job comes among the first of them. A rank is
/// fixed when a job is created, which keeps a claim one range of one index. Pure: what the queue looks like comes from
/// ``learn(_:heads:)``.
public struct FairRanks: Sendable {
    /// The virtual time of one job of a user of weight 1.
    public static let unit: Int64 = 1 << 20

    /// A queue within a service: the jobs of one priority.
    public struct Lane: Sendable, Hashable {
        /// The service.
        public var service: String
        /// The priority.
        public var priority: Int

        /// Makes a lane.
        public init(service: String, priority: Int) {
            self.service = service
            self.priority = priority
        }

        /// The first rank of the lane; the next lower priority begins ``span`` later.
        public var base: Int64 { Int64(JobLabels.priorities.upperBound - priority) * Self.span }
        /// How many ranks a lane has.
        public static let span: Int64 = 1 << 59
    }

    private var tails: [Lane: [String: Int64]] = [:]
    private var heads: [Lane: Int64] = [:]
    private var fresh: [Lane: Set<String>] = [:]
    /// How far the ranks of each lane reached that had been told of when this learned last.
    private var told: [Lane: Int64] = [:]

    /// Makes ranks for empty queues.
    public init() {}

    /// The rank of a user's next job.
    ///
    /// - Parameter weight: how much of the service the user may have beside others; 1 is usual.
    public mutating func next(in lane: Lane, user: String, weight: Double = 1) -> Int64 {
        let start = max(heads[lane, default: 0], tails[lane]?[user] ?? 0)
        let length = max(1, Int64(Double(Self.unit) / min(max(weight, 0.001), 1000)))
        tails[lane, default: [:]][user] = start + length
        fresh[lane, default: []].insert(user)
        return lane.base + min(start, Lane.span - 1)
    }

    /// The tails that grew since this was asked last.
    public mutating func takeFresh() -> [(lane: Lane, user: String, finish: Int64)] {
        defer { fresh = [:] }
        return fresh.flatMap { lane, users in users.map { (lane, $0, tails[lane]?[$0] ?? 0) } }
    }

    /// Takes tails back that could not be told to anybody: they are asked for again.
    public mutating func putBack(_ untold: [(lane: Lane, user: String, finish: Int64)]) {
        for (lane, user, _) in untold where tails[lane]?[user] != nil { fresh[lane, default: []].insert(user) }
    }

    /// Learns what all have given out, and the rank of the job that each lane claims next; a lane without one is empty.
    ///
    /// Where nothing waits, all begin anew together, at the end of what was told of by the time before: an idle time
    /// earns nobody anything. Later ranks don't count: their jobs may be on their way into the ledger still, and whoever
    /// began behind them would wait for them all.
    public mutating func learn(_ others: [(lane: Lane, user: String, finish: Int64)], heads ranks: [Lane: Int64]) {
        var reached: [Lane: Int64] = [:]
        for (lane, user, finish) in others {
            tails[lane, default: [:]][user] = max(finish, tails[lane]?[user] ?? 0)
            reached[lane] = max(finish, reached[lane] ?? 0)
        }
        for lane in Set(tails.keys).union(ranks.keys) {
            // A head only moves on: a job that comes back with an old rank must not let newcomers in before everybody.
            let head = max(ranks[lane].map { $0 - lane.base } ?? told[lane] ?? 0, heads[lane] ?? 0)
            heads[lane] = head
            let ahead = tails[lane]?.filter { $0.value > head } ?? [:]
            tails[lane] = ahead.isEmpty ? nil : ahead
        }
        told = reached
    }
}
