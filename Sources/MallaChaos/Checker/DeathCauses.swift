// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What may have ended the processes that ran a job.
struct DeathCauses: Sendable {
    /// The calls whose plan told them to die, and that wrote no end.
    let planned: Int
    /// The other attempts during which the handlers of their worker were killed.
    let byFaults: Int

    /// A worker that is killed, frozen or away tells of no death: only faults of its handlers count.
    init(of job: JobRow, _ evidence: Evidence) {
        let calls = evidence.callsByJob[job.id] ?? []
        let end = evidence.end(of: job)
        let payload = evidence.plan[evidence.key(of: job)]?.payload
        let isToDie = payload?["do"]?[job.name ?? ""]?["kind"]?.string == "die"
        let bounds = evidence.bounds
        var (told, killed): (Set<Int>, Set<Int>) = ([], [])
        for (index, call) in calls.enumerated() {
            if isToDie, call.end == nil {
                told.insert(call.attempt)
                continue
            }
            let next = calls[(index + 1)...].first { $0.attempt != call.attempt }?.began ?? end
            // What it answered may have died with its process, just before it was sent.
            let until = call.end.map { $0.at + bounds.step } ?? next
            let isHit = evidence.disturbances.faults(.killHandlers, of: call.worker).contains {
                $0.began <= until + bounds.clocks && $0.ended + bounds.clocks >= call.began
            }
            if isHit { killed.insert(call.attempt) }
        }
        // A handler that was killed before it could write is of any worker.
        let nameless = max(0, job.attempt - Set(calls.map(\.attempt)).count)
        let isAny = evidence.disturbances.faults(.killHandlers, of: nil).contains {
            $0.began <= end + bounds.clocks && $0.ended + bounds.recovery >= job.created
        }
        planned = told.count
        byFaults = killed.subtracting(told).count + (isAny ? nameless : 0)
    }
}
