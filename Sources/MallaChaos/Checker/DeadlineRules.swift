// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A deadline stops what has not started, and ends what has not ended; not before its time.
enum DeadlineRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for task in evidence.tasks {
            guard let finished = task.finished else { continue }
            let times = "deadline \(evidence.time(task.deadline)), finished \(evidence.time(finished))"
            if task.verdict == .timedOut, finished < task.deadline - evidence.bounds.clocks {
                found.add(.noEarlyTimeout, task.key, "\(task.words), \(times)")
            }
            checkEnd(of: task, finished, times, evidence, &found)
        }
        for job in evidence.jobs {
            if job.state == "timed_out", let deadline = job.deadline ?? evidence.taskByID[job.task]?.deadline,
                let finished = job.finished, finished < deadline - evidence.bounds.clocks
            {
                let times = "deadline \(evidence.time(deadline)), finished \(evidence.time(finished))"
                found.add(.noEarlyTimeout, evidence.key(of: job), "\(job.words), \(times)")
            }
            checkStarts(of: job, evidence, &found)
        }
    }

    private static func checkEnd(
        of task: TaskRow,
        _ finished: Double,
        _ times: String,
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        let bounds = evidence.bounds
        guard finished > task.deadline + bounds.timers else { return }
        // Only App APIs end tasks; without one, or without the ledger, it is done once they are back.
        let fault = evidence.disturbances.end(
            of: [.appAPIs, .ledger],
            from: task.deadline - bounds.step,
            to: finished,
            tail: bounds.recovery
        )
        if let fault, finished <= fault + bounds.recovery + bounds.timers { return }
        let late = CallRules.seconds(finished - task.deadline)
        found.add(.deadlineIsKept, task.key, "\(task.words), \(times), \(late) late")
    }

    private static func checkStarts(of job: JobRow, _ evidence: Evidence, _ found: inout Findings) {
        guard let deadline = job.deadline ?? evidence.taskByID[job.task]?.deadline else { return }
        let bounds = evidence.bounds
        for call in evidence.callsByJob[job.id] ?? [] where call.began > deadline + bounds.handOver {
            // A worker that is frozen between its look at the clock and the call goes on where it was.
            let thaw = evidence.disturbances.end(from: deadline - bounds.step, to: call.began) {
                $0.kind == .freeze && $0.isOf(worker: call.worker)
            }
            if let thaw, call.began <= thaw + bounds.step { continue }
            let late = CallRules.seconds(call.began - deadline)
            let finding = "\(evidence.words(call)), \(late) after the deadline \(evidence.time(deadline)); \(job.words)"
            found.add(.noStartAfterDeadline, evidence.key(of: job), finding)
        }
    }
}
