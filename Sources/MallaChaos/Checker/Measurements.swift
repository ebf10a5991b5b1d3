// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What a history shows of times and counts; durations are in seconds.
struct Measurements: Sendable {
    /// From the kill of a worker to the next call of each job that it ran.
    private(set) var workerKill = Percentiles([])
    /// From the freeze of a worker to the next call of each job that it ran.
    private(set) var workerFreeze = Percentiles([])
    /// From the kill of an App API to each settlement and callback that was under way then; see ``Recovery``.
    private(set) var appAPIKill = Percentiles([])
    /// From a kill, restart or wipe of RabbitMQ to the first call that began; from the moment it was back.
    private(set) var rabbit = Percentiles([])
    /// From the answer to a cancel until the last handler of the task was done; of tasks of which one ran then.
    private(set) var cancelToStopped = Percentiles([])
    /// From a submit's first try to the task's end in the ledger.
    private(set) var submitToEnd = Percentiles([])
    /// From a submit to its answer.
    private(set) var submitToAnswer = Percentiles([])
    /// From a task's end to its callback's first arrival.
    private(set) var endToCallback = Percentiles([])
    /// Sums over all jobs and tasks.
    private(set) var counts = Counts()

    /// What happened how often.
    struct Counts: Sendable, Hashable {
        var tasks = 0
        var ends: [Verdict: Int] = [:]
        var jobs = 0
        var attempts = 0
        var failures = 0
        var deaths = 0
        var orphaned = 0
        /// Calls of handlers beyond the first of each job.
        var callsAgain = 0
        /// Calls that answered, but not for the attempt in the row: their answers counted for nothing.
        var staleAnswers = 0
        /// Arrivals of callbacks beyond the first of each.
        var callbacksAgain = 0
        /// Submits beyond the first of each task.
        var submitsAgain = 0
        var faults = 0

        /// The sums by what was counted.
        var byName: [String: Int] {
            [
                "jobs": jobs, "attempts": attempts, "failures": failures, "deaths of handlers": deaths,
                "jobs that lost their worker": orphaned, "calls of handlers again": callsAgain,
                "answers that came too late": staleAnswers, "callbacks again": callbacksAgain,
                "submits again": submitsAgain,
            ]
        }
    }

    /// The durations by what was measured, in seconds; those of several runs can be put together.
    var byName: [String: [Double]] {
        [
            "worker kill to next call": workerKill.values, "worker freeze to next call": workerFreeze.values,
            "App API kill to next step": appAPIKill.values, "RabbitMQ back to next call": rabbit.values,
            "cancel answered to handlers done": cancelToStopped.values, "submit to end": submitToEnd.values,
            "submit to answer": submitToAnswer.values, "end to callback": endToCallback.values,
        ]
    }

    init(_ history: History) {
        var ignored = Findings()
        let evidence = Evidence(history, bounds: Bounds(), found: &ignored)
        let recovery = Recovery(evidence)
        workerKill = Percentiles(recovery.ofWorkers(after: .kill))
        workerFreeze = Percentiles(recovery.ofWorkers(after: .freeze))
        appAPIKill = Percentiles(recovery.ofAppAPIs())
        rabbit = Percentiles(recovery.ofRabbit())
        cancelToStopped = Percentiles(Self.cancels(evidence))
        let submits = history.calls.filter { $0.kind == .submit }
        submitToAnswer = Percentiles(submits.filter(\.isAnswered).map { $0.ended - $0.began })
        submitToEnd = Percentiles(
            evidence.tasks.compactMap { task in
                let first = evidence.clientCalls[task.key]?.first { $0.kind == .submit }
                return task.finished.flatMap { end in first.map { Swift.max(0, end - $0.began) } }
            }
        )
        endToCallback = Percentiles(
            evidence.tasks.compactMap { task in
                task.finished.flatMap { end in evidence.arrivals[task.id]?.first.map { Swift.max(0, $0.at - end) } }
            }
        )
        counts = Self.count(evidence, submits: submits.count)
    }

    private static func cancels(_ evidence: Evidence) -> [Double] {
        evidence.tasks.compactMap { task in
            guard task.verdict == .cancelled,
                let cancel = evidence.clientCalls[task.key]?.first(where: { $0.kind == .cancel && $0.isAnswered })
            else { return nil }
            let calls = (evidence.jobsByTask[task.id] ?? []).flatMap { evidence.callsByJob[$0.id] ?? [] }
            // A handler that was killed wrote no end, but up to then that it was alive.
            let last = calls.filter { $0.began <= cancel.ended && $0.lastSeen > cancel.ended }.map(\.lastSeen).max()
            return last.map { $0 - cancel.ended }
        }
    }

    private static func count(_ evidence: Evidence, submits: Int) -> Counts {
        var counts = Counts()
        counts.tasks = evidence.tasks.count
        for task in evidence.tasks { if let verdict = task.verdict { counts.ends[verdict, default: 0] += 1 } }
        counts.jobs = evidence.jobs.count
        for job in evidence.jobs {
            counts.attempts += job.attempt
            counts.failures += job.failures
            counts.deaths += job.deaths
            counts.orphaned += job.orphaned
            let calls = evidence.callsByJob[job.id] ?? []
            counts.callsAgain += Swift.max(0, calls.count - 1)
            counts.staleAnswers += calls.count { $0.ended(.answered) && $0.attempt != job.attempt }
        }
        counts.callbacksAgain = evidence.arrivals.values.reduce(0) { $0 + $1.count - 1 }
        let submitted = evidence.clientCalls.values.count { $0.contains { $0.kind == .submit } }
        counts.submitsAgain = submits - submitted
        counts.faults = evidence.history.faults.count
        return counts
    }
}
