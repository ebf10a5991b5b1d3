// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How far a worker is ahead of those who settle its completions, by queue: pure, no clock of its own.
///
/// What was sent to a queue that nobody settled at the time, such as that of an app whose App APIs are away, does not
/// count, nor when they are back, nor what is sent behind it: it must not keep the worker from the jobs of the others.
struct SettlingPace {
    private struct Queue {
        var unsettled = 0
        /// How many of them count: those that were sent last.
        var counted = 0
        /// How many were settled between the last two beats.
        var settled = 0
        /// How many were settled since, as looks between the beats told.
        var settledSince = 0

        var rate: Int { max(settled, settledSince) }
    }

    /// So many are never too many.
    ///
    /// Beyond that the worker stays only so far ahead of whoever settles: every job that runs or ran and is not settled
    /// costs the ledger a look with each beat and each turn of the timers, and a job done early ends no task earlier.
    private static let leastAhead = 4000

    private var queues: [String: Queue] = [:]
    /// How many completions that count are not settled yet.
    private(set) var ahead = 0
    /// How many of all queues are settled from beat to beat.
    private var rate = 0

    init() {}

    /// How many may be ahead: three quarters of what is settled from beat to beat; looks between them tell early enough.
    var limit: Int { max(Self.leastAhead, rate / 4 * 3) }

    /// Whether somebody settles a queue lately.
    func isSettled(_ queue: String) -> Bool { queues[queue].map { $0.rate > 0 } ?? false }

    /// A completion was sent; tells whether it counts.
    ///
    /// It does when somebody settles the queue, and will come to it before the next beat but one.
    mutating func sent(to name: String) -> Bool {
        var queue = queues[name] ?? Queue()
        let counts = queue.rate > 0 && queue.unsettled - queue.counted <= queue.rate
        queue.unsettled += 1
        if counts {
            queue.counted += 1
            ahead += 1
        }
        queues[name] = queue
        return counts
    }

    /// A completion was settled, or nobody wants it any more.
    mutating func settled(of name: String) {
        guard var queue = queues[name], queue.unsettled > 0 else { return }
        let before = queue
        queue.unsettled -= 1
        queue.settledSince += 1
        // The others were sent earlier, and are settled earlier.
        queue.counted = min(queue.counted, queue.unsettled)
        queues[name] = queue
        ahead += queue.counted - before.counted
        rate += queue.rate - before.rate
    }

    /// A beat told of all that was settled until now.
    mutating func beat() {
        (ahead, rate) = (0, 0)
        for (name, var queue) in queues {
            (queue.settled, queue.settledSince) = (queue.settledSince, 0)
            if queue.settled == 0 { queue.counted = 0 }
            queues[name] = queue.unsettled == 0 && queue.settled == 0 ? nil : queue
            ahead += queue.counted
            rate += queue.settled
        }
    }
}
