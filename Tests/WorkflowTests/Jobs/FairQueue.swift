// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// The waiting jobs of services, claimed as a ledger claims them: by rank, then by the order in which they came.
struct FairQueue {
    struct Entry {
        var lane: FairRanks.Lane
        var user: String
        var rank: Int64
        /// The number of the job among its user's.
        var number: Int
    }

    /// By lane and user: each user's jobs come in the order of their ranks, which the tests check.
    private var waiting: [FairRanks.Lane: [String: ArraySlice<Entry>]] = [:]
    private var counts: [String: Int] = [:]
    /// What processes have told of, as a ledger keeps it.
    private var tails: [FairRanks.Lane: [String: Int64]] = [:]

    mutating func submit(
        _ count: Int,
        by user: String,
        lane: FairRanks.Lane,
        weight: Double = 1,
        _ ranks: inout FairRanks
    ) {
        for _ in 0..<count {
            let rank = ranks.next(in: lane, user: user, weight: weight)
            let entry = Entry(lane: lane, user: user, rank: rank, number: counts[user, default: 0])
            counts[user, default: 0] += 1
            waiting[lane, default: [:]][user, default: []].append(entry)
        }
    }

    mutating func claim() -> Entry? {
        let heads = waiting.values.flatMap { $0.values.compactMap(\.first) }
        // Of equal ranks the worst case: whoever has waited longest goes first, so one job alone goes last.
        guard let first = heads.min(by: { ($0.rank, -$0.number) < ($1.rank, -$1.number) }) else { return nil }
        waiting[first.lane]?[first.user]?.removeFirst()
        return first
    }

    /// The users of the next claims.
    mutating func claim(_ count: Int) -> [String] {
        (0..<count).compactMap { _ in claim()?.user }
    }

    /// Claims with a process that learns now and then.
    mutating func claim(_ count: Int, learningEvery period: Int, _ ranks: inout FairRanks) -> [String] {
        var users: [String] = []
        for index in 0..<count {
            if index.isMultiple(of: period) { exchange(&ranks) }
            guard let entry = claim() else { break }
            users.append(entry.user)
        }
        return users
    }

    private var heads: [FairRanks.Lane: Int64] {
        waiting.compactMapValues { users in users.values.compactMap(\.first?.rank).min() }
    }

    /// What a process and the ledger tell each other, as the ledger's `share` does it.
    mutating func exchange(_ ranks: inout FairRanks) {
        for (lane, user, finish) in ranks.takeFresh() {
            tails[lane, default: [:]][user] = max(finish, tails[lane]?[user] ?? 0)
        }
        for (lane, head) in heads { tails[lane] = tails[lane]?.filter { $0.value > head - lane.base } }
        ranks.learn(tails.flatMap { lane, users in users.map { (lane, $0.key, $0.value) } }, heads: heads)
    }
}
