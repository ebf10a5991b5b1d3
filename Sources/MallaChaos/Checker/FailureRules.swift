// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A failure has a cause that a handler wrote down, or a limit, or counts as poison.
enum FailureRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for job in evidence.jobs where job.state == "failed" {
            if let trouble = trouble(with: job, evidence) {
                let finding = "\(job.words): \(trouble); \(evidence.words(callsOf: job))"
                found.add(.failureIsCaused, evidence.key(of: job), finding)
            }
        }
        for task in evidence.tasks where task.verdict == .failed {
            let jobs = evidence.jobsByTask[task.id] ?? []
            guard !jobs.contains(where: { $0.state == "failed" }) else { continue }
            let states = Dictionary(grouping: jobs, by: \.state).map { "\($0.value.count) \($0.key)" }.sorted()
            found.add(
                .failedTaskHasCause,
                task.key,
                "\(task.words), and its jobs are \(states.joined(separator: ", "))"
            )
        }
    }

    /// What is wrong with the failure of a job; nil when nothing is.
    private static func trouble(with job: JobRow, _ evidence: Evidence) -> String? {
        if job.category == "poison" {
            let isPoison =
                job.deaths >= evidence.bounds.poisonDeaths || job.orphaned >= evidence.bounds.poisonOrphanings
            return isPoison ? nil : "it is no poison"
        }
        let last = (evidence.callsByJob[job.id] ?? []).filter { $0.attempt == job.attempt }
        if last.contains(where: { $0.ended(.refused) }) { return nil }
        guard job.failures >= job.maxAttempts else { return "its last attempt did not refuse, and others were left" }
        if last.contains(where: { $0.ended(.failed) }) { return nil }
        let couldTimeOut = AttemptTimes(of: job, evidence).couldTimeOut.contains(job.attempt)
        return job.category == "timeout" && couldTimeOut ? nil : "its last attempt did not fail"
    }
}
