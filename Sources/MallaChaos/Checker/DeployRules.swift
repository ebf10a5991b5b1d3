// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A deploy, roles that are told to end and are started again one after the other, is nothing that a job notices.
enum DeployRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        guard evidence.disturbances.areADeploy else { return }
        let calls = evidence.callsByJob.values.joined()
        let stopped = Dictionary(grouping: calls.filter { $0.end == nil }, by: \.process)
        for job in evidence.jobs {
            let key = evidence.key(of: job)
            if job.orphaned > 0 {
                found.add(.deployCostsNothing, key, "\(job.words); \(evidence.words(callsOf: job))")
            }
            let calls = evidence.callsByJob[job.id] ?? []
            for (call, next) in zip(calls, calls.dropFirst()) where next.attempt > call.attempt {
                guard !isDue(call, of: job, stopped[call.process] ?? [], evidence) else { continue }
                let again = "\(evidence.words(call)), and again \(evidence.words(next))"
                found.add(.deployCostsNothing, key, "\(job.words): \(again)")
            }
        }
    }

    /// Whether the job had to be called again after this call, deploy or not.
    ///
    /// - Parameter unended: the calls of the same process that wrote no end.
    private static func isDue(
        _ call: HandlerCall,
        of job: JobRow,
        _ unended: [HandlerCall],
        _ evidence: Evidence
    ) -> Bool {
        if call.ended(.failed, .refused) { return true }
        if AttemptTimes(of: job, evidence).couldTimeOut.contains(call.attempt) { return true }
        if call.ended(.answered) { return false }
        let payload = evidence.plan[evidence.key(of: job)]?.payload
        if payload?["do"]?[job.name ?? ""]?["kind"]?.string == "die" { return true }
        // What runs longer than the drain lets it goes back.
        let drained = evidence.disturbances.faults(.restart, of: call.worker).contains {
            $0.began >= call.began && call.lastSeen - $0.began >= evidence.bounds.drain - evidence.bounds.step
        }
        if drained { return true }
        // Its process was ended for a neighbour that was to stop and did not.
        return unended.contains { other in
            other.nonce != call.nonce && other.began <= call.lastSeen + evidence.bounds.step
                && ["cancelled", "timed_out"].contains(evidence.jobByID[other.job]?.state ?? "")
        }
    }
}
