// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// What a ``JobFeed`` knows of one process.
struct FeedProcess: Sendable {
    /// A call for jobs that is held open.
    struct Taker: Sendable {
        let max: Int
        let connection: ObjectIdentifier?
        let answer: OneShot<[FeedGift]>
    }

    /// A call for the list of jobs to stop that is held open.
    struct Stopper: Sendable {
        let connection: ObjectIdentifier?
        let answer: OneShot<[String]>
    }

    /// What its calls authenticate with.
    let token: [UInt8]
    /// The jobs it runs: numbers by id.
    var running: [String: UInt64] = [:]
    /// The jobs it shall stop and has not been told of over `job-stop` yet.
    var toStop: [String] = []
    /// Its calls for jobs that wait.
    var takers: [Taker] = []
    /// Its calls for stops that wait.
    var stoppers: [Stopper] = []
    /// Whether it has asked for a job.
    var hasAsked = false
    /// Whether it has handed in a result.
    var hasServed = false
    /// Whether it gets no more jobs: it is on its way out.
    var isLeaving = false
    /// Whether it is to be replaced once its jobs are done.
    var isRetiring = false
    /// Whether it was killed by us, so that its jobs are not to blame.
    var isCondemned = false
    /// Why it was killed, when its jobs are to blame after all: it broke the protocol.
    var blame: String?

    /// Whether jobs can be given to it: it has started and is not on its way out.
    var isUp: Bool { hasAsked && !isLeaving }
}

/// A job that was given to a call.
struct FeedGift: Sendable {
    let number: UInt64
    let body: [UInt8]
    /// Whether its handler may begin.
    let permit: BeginPermit
}

extension [String: FeedProcess] {
    /// How many jobs the processes run or could be given; each that is up holds `capacity`.
    func readySlots(_ capacity: Int) -> Int {
        // One on its way out still ends what it runs: those jobs must not take the places of the others.
        values.reduce(0) { $0 + ($1.isUp ? capacity : $1.running.count) }
    }

    /// The process that asks for jobs and runs the fewest, below `capacity`; by name where several do.
    func leastBusyTaker(_ capacity: Int) -> String? {
        let asking = filter { !$0.value.takers.isEmpty && !$0.value.isLeaving && $0.value.running.count < capacity }
        return asking.min { ($0.value.running.count, $0.key) < ($1.value.running.count, $1.key) }?.key
    }
}
