// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Ledger

/// How many jobs users have, as far as this process knows: what the ledger told last, and what came since.
struct JobCounts: Sendable {
    private struct Seen {
        var load: UserLoad
        /// Created here since the ledger was asked last.
        var since = 0
        var askedAt: ContinuousClock.Instant
    }

    private var seen: [String: Seen] = [:]
    /// The users of each token that has a limit of its own.
    private var users: [String: Set<String>] = [:]

    /// How long a user is remembered who makes no jobs.
    static let memory: Duration = .seconds(60)
    /// How many users one token is counted by at most.
    static let usersPerToken = 10_000

    /// Whether the ledger was asked about a user.
    func knows(_ user: String) -> Bool { seen[user] != nil }

    /// The users to ask the ledger about; those are left out who made nothing for a while.
    mutating func due(at now: ContinuousClock.Instant) -> [String] {
        let ofTokens = users.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        seen = seen.filter { user, entry in
            if now - entry.askedAt < Self.memory { return true }
            return ofTokens.contains(user) && entry.load.waiting + entry.load.running > 0
        }
        for (token, names) in users {
            let kept = names.filter { seen[$0] != nil }
            users[token] = kept.isEmpty ? nil : kept
        }
        return seen.keys.sorted()
    }

    /// What was created up to now is counted by the answer to the question that is asked now; returns how much that is.
    func marks(of names: [String]) -> [String: Int] {
        names.reduce(into: [:]) { $0[$1] = seen[$1]?.since ?? 0 }
    }

    /// Takes the ledger's answer to a question that was asked when the marks were.
    mutating func learn(_ loads: [UserLoad], marks: [String: Int], at now: ContinuousClock.Instant) {
        for load in loads {
            let since = (seen[load.user]?.since ?? 0) - (marks[load.user] ?? 0)
            seen[load.user] = Seen(load: load, since: max(0, since), askedAt: seen[load.user]?.askedAt ?? now)
        }
    }

    /// Remembers that a user asked, with a token that has a limit.
    mutating func note(_ user: String, token: String?, at now: ContinuousClock.Instant) {
        if seen[user] == nil { seen[user] = Seen(load: UserLoad(user: user), askedAt: now) }
        seen[user]?.askedAt = now
        guard let token, users[token, default: []].count < Self.usersPerToken else { return }
        users[token, default: []].insert(user)
    }

    /// Counts jobs that are about to be created.
    mutating func add(_ count: Int, to user: String) { seen[user]?.since += count }

    /// What a user has.
    func load(ofUser user: String) -> UserLoad { sum([user]) }

    /// What the users of a token have.
    func load(ofToken token: String) -> UserLoad { sum(users[token] ?? []) }

    private func sum(_ names: some Sequence<String>) -> UserLoad {
        var sum = UserLoad(user: "")
        for name in names {
            guard let entry = seen[name] else { continue }
            sum.waiting += entry.load.waiting + entry.since
            sum.running += entry.load.running
        }
        return sum
    }
}
