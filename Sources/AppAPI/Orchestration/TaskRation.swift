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
    /// What each user got who asked.
    private var byUser: [String: Int] = [:]
    private var askedBefore = 0
    /// Whether a task was refused since the pace was set.
    private(set) var hasRefused = false
    /// The most tasks a second that were taken lately.
    private var demand: Double
    /// The most tasks a second that ended lately.
    private var served = 0.0

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
        served = max(ended, served * (1 - 0.02 * step))
        let wanted = wait.map { ended * min(1.2, max(0.5, 1.5 - $0)) + gift } ?? .infinity
        let growth = wait == nil && pace > served / 2 ? 0.3 : 1
        pace = min(max(wanted, pace * (1 - 0.3 * step)), pace * (1 + growth * step))
        // Who asks for little does not save up for later.
        demand = max(taken, demand * (1 - 0.3 * step))
        pace = max(Self.least, served / 10, min(pace, 4 * max(1, demand)))
        hasRefused = false
    }

    /// Whether a user's new task is taken.
    mutating func takes(_ user: String, at now: ContinuousClock.Instant) -> Bool {
        let seconds = (now - since).inSeconds
        if seconds >= 1 {
            let rest = whole - Double(taken) + pace * seconds
            (since, whole, taken, refused) = (now, min(max(1, pace), rest), 0, 0)
            (askedBefore, byUser) = (byUser.count, [:])
        }
        let mine = byUser[user, default: 0]
        if byUser.count < Self.usersAtMost { byUser[user] = mine }
        // One share more than there are users is left for one who comes later in this second.
        let share = max(1, Int(whole) / (max(askedBefore, byUser.count) + 1))
        guard Double(taken + 1) <= whole, mine < share else {
            refused += 1
            hasRefused = true
            return false
        }
        taken += 1
        byUser[user] = mine + 1
        return true
    }
}
