// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// So many new tasks of a workflow a second, shared out equally among the users who ask.
struct TaskRation: Sendable {
    /// Users beyond so many in a second are not told apart from newcomers.
    private static let usersAtMost = 10_000
    /// Tasks a second that are taken at any rate.
    private static let least = 0.2

    /// Tasks a second that may be taken.
    private(set) var pace: Double
    /// One second, in which each user gets an equal share of what was left at its begin.
    private var since: ContinuousClock.Instant
    private var whole: Double
    private var taken = 0
    /// Tasks that were refused in this second.
    private(set) var refused = 0
    private var byUser: [String: Asked] = [:]
    /// The second before.
    private var before = Before()
    /// Whether the last task of this second was kept for somebody who got none before.
    private var wasKept = false
    /// Whether a task was refused since the pace was set.
    private(set) var hasRefused = false
    /// The most tasks a second that were taken lately.
    private var demand: Double
    /// The most tasks a second that ended lately.
    private var endedLately = 0.0

    /// What became of a user's tasks in a second.
    private struct Asked {
        var taken = 0
        var isRefused = false
    }

    private struct Before {
        /// How many users were refused a task, and how many not.
        var (refused, content) = (0, 0)
        /// Tasks of those who were not.
        var taken = 0
        /// Who got something, when anything was there to be had last.
        var served: Set<String> = []
    }

    init(pace: Double, at now: ContinuousClock.Instant) {
        self.pace = max(Self.least, pace)
        since = now
        whole = max(1, pace)
        demand = pace
    }

    /// Sets the pace after a look at the queues.
    ///
    /// It changes step by step, for tasks end in waves, and the first of a newcomer end late. Where all stood still for a
    /// while, it is soon what it was.
    ///
    /// - Parameters:
    ///   - wait: how long the queues are, of the patience; nil when there is nearly nothing.
    ///   - taken: tasks a second since the last look, as `ended`.
    ///   - gift: tasks a second that may be taken beyond what ends.
    mutating func change(by seconds: Double, wait: Double?, taken: Double, ended: Double, gift: Double) {
        let step = min(1, seconds)
        endedLately = max(ended, endedLately * (1 - 0.02 * step))
        // Where too much waits nothing is given, lest a gift be more than a slow service can do.
        let wanted = wait.map { ended * min(1.2, max(0.5, 1.5 - $0)) + gift * min(1, max(0, 3 - $0)) }
        let growth = wait == nil && pace > endedLately / 2 ? 0.3 : 1
        pace = min(max(wanted ?? .infinity, pace * (1 - 0.3 * step)), pace * (1 + growth * step))
        // Who asks for little does not save up for later.
        demand = max(taken, demand * (1 - 0.3 * step))
        let floor = wait.map { $0 < 1 } ?? true ? endedLately / 10 : 0
        pace = max(Self.least / max(1, wait ?? 0), floor, min(pace, 4 * max(1, demand)))
        hasRefused = false
    }

    /// Whether a user's new task is taken.
    mutating func takes(_ user: String, at now: ContinuousClock.Instant) -> Bool {
        begin(at: now)
        let isKnown = byUser.count < Self.usersAtMost || byUser[user] != nil
        if isKnown, byUser[user] == nil { byUser[user] = Asked() }
        // What those leave who ask for less than their share is the others'. One share more than there are of these is
        // left for one who comes later in this second.
        let users = max(1, before.refused, byUser.count - before.content)
        let share = max(1, (Int(whole) - before.taken) / (users + 1))
        let isFree = Double(taken + 1) <= whole && byUser[user]?.taken ?? 0 < share
        // Where there are fewer tasks than users, the last one is for somebody who got none before.
        let isKept = isFree && Double(taken + 2) > whole && before.served.contains(user)
        guard isFree, !isKept else {
            if isKnown { byUser[user]?.isRefused = true }
            wasKept = wasKept || isKept
            refused += 1
            hasRefused = true
            return false
        }
        taken += 1
        if isKnown { byUser[user]?.taken += 1 }
        return true
    }

    /// Begins another second when this one is over.
    private mutating func begin(at now: ContinuousClock.Instant) {
        let seconds = (now - since).inSeconds
        guard seconds >= 1 else { return }
        let refusedUsers = byUser.values.count(where: \.isRefused)
        let content = byUser.values.reduce(0) { $0 + ($1.isRefused ? 0 : $1.taken) }
        (before.refused, before.content, before.taken) = (refusedUsers, byUser.count - refusedUsers, content)
        if taken > 0 || wasKept { before.served = Set(byUser.filter { $0.value.taken > 0 }.keys) }
        let rest = whole - Double(taken) + pace * seconds
        (since, whole, taken, refused, wasKept) = (now, min(max(1, pace), rest), 0, 0, false)
        byUser = [:]
    }
}
