// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// Every task has one end, one that its plan allows.
enum EndRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for task in evidence.tasks {
            let runs = evidence.runsByTask[task.id] ?? []
            let states = runs.map { $0["state"]?.string ?? "?" }
            if states != [task.state] {
                found.add(.oneFinalState, task.key, "\(task.words), its runs: \(states.joined(separator: ", "))")
            }
            guard let verdict = task.verdict, let finished = task.finished else {
                let open = (evidence.jobsByTask[task.id] ?? []).filter { !$0.isFinal }.prefix(3).map(\.words)
                let jobs = open.isEmpty ? "no job is open" : open.joined(separator: "; ")
                let when = "created \(evidence.time(task.created)), finished \(evidence.time(task.finished))"
                found.add(.oneFinalState, task.key, "\(task.words), \(when); \(jobs)")
                continue
            }
            guard let plan = evidence.plan[task.key] else { continue }
            if !plan.verdicts.contains(verdict), !isPoisonedByFaults(task, evidence), !wasStarved(task, evidence) {
                let allowed = plan.verdicts.map(\.rawValue).sorted().joined(separator: ", ")
                let when = "created \(evidence.time(task.created)), finished \(evidence.time(finished))"
                found.add(.plannedEnd, task.key, "\(task.words), \(when); allowed: \(allowed)")
            }
            if verdict == .cancelled, !wasCancelled(task, before: finished, evidence) {
                found.add(
                    .plannedEnd,
                    task.key,
                    "\(task.words) since \(evidence.time(finished)), but nobody cancelled it"
                )
            }
        }
    }

    private static func wasCancelled(_ task: TaskRow, before finished: Double, _ evidence: Evidence) -> Bool {
        (evidence.clientCalls[task.key] ?? []).contains {
            $0.kind == .cancel && $0.began <= finished + evidence.bounds.clocks
        }
    }

    /// Whether its deadline, or the limit of one of its jobs, passed because the servers that jobs go by were away for more
    /// than half of that time, as on a machine that takes a minute to start one.
    private static func wasStarved(_ task: TaskRow, _ evidence: Evidence) -> Bool {
        func wereAway(from: Double, to: Double) -> Bool {
            evidence.disturbances.outage(of: [.rabbit, .postgres], from: from, to: to) > (to - from) / 2
        }
        guard let finished = task.finished else { return false }
        if task.verdict == .timedOut, finished >= task.deadline, wereAway(from: task.created, to: task.deadline) {
            return true
        }
        // A call that answered in time may still pass its limit: while its completion can't be delivered.
        return task.verdict == .failed
            && (evidence.jobsByTask[task.id] ?? []).contains { job in
                job.state == "failed" && job.category == "timeout"
                    && wereAway(from: job.created, to: evidence.end(of: job))
            }
    }

    /// Whether a job fell to faults alone: its handler's process killed twice, or its worker lost ten times.
    ///
    /// The table of design.md says that such a job counts as poison, whoever killed it.
    private static func isPoisonedByFaults(_ task: TaskRow, _ evidence: Evidence) -> Bool {
        guard task.verdict == .failed else { return false }
        return (evidence.jobsByTask[task.id] ?? []).contains { job in
            guard job.state == "failed", job.category == "poison" else { return false }
            let (bounds, end) = (evidence.bounds, evidence.end(of: job))
            let byFaults = DeathCauses(of: job, evidence).byFaults
            // How often its workers may have been lost is a rule of its own.
            return job.deaths >= bounds.poisonDeaths && byFaults >= bounds.poisonDeaths
                || job.orphaned >= bounds.poisonOrphanings
                    && evidence.disturbances.mayLose(nil, from: job.created, to: end, tail: bounds.recovery)
        }
    }
}
