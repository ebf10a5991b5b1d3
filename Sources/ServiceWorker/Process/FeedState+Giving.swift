// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Workflow

// Whether a job may still be given, and what becomes of one that did not arrive.
extension FeedState {
    /// Whether a waiting job's handler may begin; where that is not known the ledger is asked, once.
    mutating func mayBegin(_ number: UInt64, _ now: ContinuousClock.Instant, _ effects: inout [FeedEffect]) -> Bool {
        guard let job = jobs[number], !job.isAsking else { return false }
        guard !job.permit.isFresh(now) else { return true }
        jobs[number]?.isAsking = true
        effects.append(.confirm(number, job.permit))
        return false
    }

    /// The ledger has said whether a waiting job may begin; one that may not goes back.
    mutating func confirmed(_ number: UInt64, mayBegin: Bool) -> [FeedEffect] {
        guard let job = jobs[number], job.isAsking else { return [] }
        jobs[number]?.isAsking = false
        guard !mayBegin else { return deal(.now) }
        waiting.removeAll { $0 == number }
        return settle(number, .handedBack).map { [$0] } ?? []
    }

    /// Jobs that were given could not be delivered: they are the next to be given.
    mutating func giveBack(_ gifts: [FeedGift]) -> [FeedEffect] {
        var back: [UInt64] = []
        var effects: [FeedEffect] = []
        for gift in gifts {
            guard let job = jobs[gift.number] else { continue }
            if let process = job.process { processes[process]?.running[job.id] = nil }
            jobs[gift.number]?.process = nil
            if job.isStopping || isDraining {
                if let effect = settle(gift.number, job.isStopping ? .stopped : .handedBack) { effects.append(effect) }
            } else {
                back.append(gift.number)
            }
        }
        waiting.insert(contentsOf: back, at: 0)
        return effects + deal(.now)
    }

    /// Jobs have reached their process.
    mutating func delivered(_ gifts: [FeedGift]) {
        for gift in gifts { jobs[gift.number]?.isDelivered = true }
    }

    /// A call that says the process runs nothing: what it was given before has ended without a result.
    mutating func reportIdle(_ process: String) -> [FeedEffect] {
        guard let known = processes[process], !known.running.isEmpty else { return [] }
        let lost = known.running.filter { jobs[$0.value]?.isDelivered == true }.keys
        let error = JobError(
            .handler,
            "the handler ended without a result that could be handed in; a result must be something that JSON can hold"
        )
        var effects: [FeedEffect] = []
        for id in lost {
            effects += finish(id, lease: nil, from: process, .failed(error))
        }
        return effects
    }
}
