// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A job ends with its task, and its counters say what happened to it.
enum JobCountRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for job in evidence.jobs {
            let task = evidence.taskByID[job.task]
            if let task, task.verdict != nil, !job.isFinal {
                let when = evidence.time(task.finished)
                found.add(.noJobIsLeft, task.key, "\(job.words), but \(task.words) since \(when)")
            }
            checkAttempts(of: job, evidence, &found)
            checkFailures(of: job, evidence, &found)
            checkPoison(of: job, evidence, &found)
        }
    }

    private static func checkAttempts(of job: JobRow, _ evidence: Evidence, _ found: inout Findings) {
        let calls = evidence.callsByJob[job.id] ?? []
        if calls.isEmpty {
            guard job.state == "succeeded" || job.failures > 0, job.attempt == 0 else { return }
            found.add(.attemptsCount, evidence.key(of: job), "\(job.words), without an attempt")
            return
        }
        let attempts = Set(calls.map(\.attempt))
        let last = attempts.max() ?? 0
        guard last > job.attempt || attempts.count > job.attempt || (attempts.min() ?? 1) < 1 else { return }
        // A claim that PostgreSQL lost when it was killed is one that the row never counted.
        guard !evidence.mayHaveLostClaims(since: job.created, until: evidence.end(of: job)) else { return }
        found.add(.attemptsCount, evidence.key(of: job), "\(job.words); \(evidence.words(callsOf: job))")
    }

    private static func checkFailures(of job: JobRow, _ evidence: Evidence, _ found: inout Findings) {
        let key = evidence.key(of: job)
        if job.failures > job.maxAttempts || (job.failures == job.maxAttempts && !["failed"].contains(job.state)) {
            found.add(.failuresAreBound, key, "\(job.words) since \(evidence.time(job.finished))")
        }
        let times = AttemptTimes(of: job, evidence)
        let most = times.failed.count + times.couldTimeOut.count
        if job.failures > most {
            let reason =
                "its calls failed \(times.failed.count) times, and \(times.couldTimeOut.count) may have timed out"
            found.add(.faultsCostNothing, key, "\(job.words), but \(reason); \(evidence.words(callsOf: job))")
        } else if job.state == "succeeded" || job.state == "failed", job.failures < reported(by: job, evidence) {
            let count = reported(by: job, evidence)
            let reason = "\(count) of its calls failed on workers that nothing disturbed"
            found.add(.faultsCostNothing, key, "\(job.words), but \(reason); \(evidence.words(callsOf: job))")
        }
    }

    /// How many attempts failed and were told of for certain: by a worker that nothing happened to, and by a process
    /// that went on; one that was ended for another job's sake took its last word with it.
    private static func reported(by job: JobRow, _ evidence: Evidence) -> Int {
        let calls = evidence.callsByJob[job.id] ?? []
        var attempts: Set<Int> = []
        for (index, call) in calls.enumerated() where call.ended(.failed, .refused) {
            let next = calls[(index + 1)...].first { $0.attempt != call.attempt }?.began
            let said = call.end?.at ?? call.began
            guard evidence.lastWords[call.process, default: 0] > said + evidence.bounds.step,
                !evidence.mayBeLost(call, until: next ?? evidence.end(of: job))
            else { continue }
            attempts.insert(call.attempt)
        }
        return attempts.count
    }

    /// How many of a job's attempts may have lost their worker.
    private static func losable(_ job: JobRow, _ evidence: Evidence) -> Int {
        let calls = evidence.callsByJob[job.id] ?? []
        let end = evidence.end(of: job)
        var lost: Set<Int> = []
        for (index, call) in calls.enumerated() {
            let next = calls[(index + 1)...].first { $0.attempt != call.attempt }?.began
            if evidence.mayBeLost(call, until: next ?? end) { lost.insert(call.attempt) }
        }
        // A worker that was lost between its claim and the call left no name.
        let nameless = max(0, job.attempt - Set(calls.map(\.attempt)).count)
        let tail = evidence.bounds.recovery
        let isAny = evidence.disturbances.mayLose(nil, from: job.created, to: end, tail: tail)
        return lost.count + (isAny ? nameless : 0)
    }

    private static func checkPoison(of job: JobRow, _ evidence: Evidence, _ found: inout Findings) {
        let key = evidence.key(of: job)
        let isPoison = job.state == "failed" && job.category == "poison"
        if !isPoison, job.deaths >= evidence.bounds.poisonDeaths || job.orphaned >= evidence.bounds.poisonOrphanings {
            found.add(.poisonIsBound, key, "\(job.words), and is no poison")
        }
        let (start, end) = (job.created, evidence.end(of: job))
        if job.deaths > 0 {
            let causes = DeathCauses(of: job, evidence)
            if job.deaths > causes.planned + causes.byFaults {
                let reason = "\(causes.planned) calls were told to die, and \(causes.byFaults) may have been killed"
                found.add(.poisonIsBound, key, "\(job.words), but \(reason); \(evidence.words(callsOf: job))")
            }
        }
        if job.orphaned > losable(job, evidence) {
            let life = "created \(evidence.time(start)), ended \(evidence.time(end))"
            let reason = "faults of its workers and the ledger may have cost it \(losable(job, evidence))"
            found.add(.poisonIsBound, key, "\(job.words), \(life), but \(reason); \(evidence.words(callsOf: job))")
        }
    }
}
