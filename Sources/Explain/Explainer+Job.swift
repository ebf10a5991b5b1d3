// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension Explainer {
    /// Explains a job.
    func explain(_ job: Job) async throws(LedgerError) -> Explanation {
        var explanation: Explanation
        switch job.state {
        case .waiting: explanation = try await explain(waiting: job)
        case .running: explanation = try await explain(running: job)
        case .succeeded, .failed, .cancelled, .timedOut: explanation = Self.explain(ended: job)
        }
        explanation.service = job.service
        explanation.attempts = try await ledger.attempts(ofJob: job.id)
        return explanation
    }

    private static func explain(ended job: Job) -> Explanation {
        let at = job.finishedAt ?? job.createdAt
        let took = Quantity.text(at - job.createdAt)
        let error = job.error.map { ": \($0.message)" } ?? ""
        switch job.state {
        case .succeeded:
            return make(job, at, .completed, "It is done, \(took) after it was created.")
        case .cancelled:
            return make(job, at, .cancelled, "It was cancelled \(took) after it was created; it stays so.")
        case .timedOut:
            let text =
                "Its deadline passed before it was done\(waited(job)). Give it more time, or its service more workers."
            return make(job, at, .deadlinePassed, text)
        default:
            let count = job.failures == 1 ? "once" : "\(job.failures) times"
            let text =
                job.failures > 0
                ? "It failed \(count), the last time\(error) (\(job.error?.category.rawValue ?? "no category"))."
                : "It failed\(error)."
            return make(job, at, .failed, "\(text) \(again(job))")
        }
    }

    private static func waited(_ job: Job) -> String {
        job.attempt == 0 ? ", and no worker had taken it" : " (\(job.attempt) attempts were begun)"
    }

    private static func again(_ job: Job) -> String {
        job.task == nil
            ? "To run it again: malla jobs retry \(job.id)" : "Its task has seen this end; a new request runs it anew."
    }

    private func explain(running job: Job) async throws(LedgerError) -> Explanation {
        let started = job.startedAt ?? job.createdAt
        let now = Timestamp.now
        let workers = try await workers(of: job.service)
        let holder = workers.first { $0.record.beat.worker == job.worker }
        let age = Quantity.text(now - started)
        let limit = Quantity.text(job.timeout)
        var explanation: Explanation
        if let until = job.leaseUntil {
            let rest = Quantity.text(max(.zero, until - now))
            explanation = Self.held(job, since: started, for: age, rest: rest, by: holder)
        } else if let holder, holder.isAlive, let trouble = holder.troubles.last, trouble.at > started.rfc3339 {
            let text =
                "The worker \(holder.record.beat.name) took it \(age) ago, and since then a handler of "
                + "'\(job.service)' ended or did not start there: \(trouble.sentence)"
            explanation = Self.make(job, started, .handlersFail, text)
        } else if let holder, holder.isAlive {
            let text =
                "The worker \(holder.record.beat.name) has run it for \(age); the limit of an attempt is \(limit)."
            explanation = Self.make(job, started, .running, text)
        } else {
            let text =
                "Its worker \(job.worker ?? "?") has not been heard of for more than \(Quantity.text(Self.silence)); "
                + "the job is taken from it and waits again in a few seconds. If it does not, no API is running."
            explanation = Self.make(job, started, .workerSilent, text)
        }
        explanation.workers = workers
        explanation.faults = await faults()
        return explanation
    }

    /// Explains a job that a worker elsewhere holds by time.
    private static func held(
        _ job: Job,
        since started: Timestamp,
        for age: String,
        rest: String,
        by holder: Explanation.Worker?
    ) -> Explanation {
        let name = job.worker ?? "?"
        guard let holder, !holder.isAlive else {
            let text = "The worker \(name) has run it for \(age) and holds it for \(rest) more unless it renews."
            return make(job, started, .running, text)
        }
        let text =
            "Its worker \(name) was heard of \(Quantity.text(holder.record.age)) ago and holds it for \(rest) more; then it "
            + "waits again. If the worker is gone, there is no need to wait: malla jobs retry \(job.id)"
        return make(job, started, .workerSilent, text)
    }

    private func explain(waiting job: Job) async throws(LedgerError) -> Explanation {
        let now = Timestamp.now
        let since = job.createdAt
        if let deadline = job.deadline, deadline <= now {
            return Self.make(job, since, .deadlinePassed, "Its deadline has passed; it ends within a second.")
        }
        let workers = try await workers(of: job.service)
        let faults = await faults()
        var explanation: Explanation
        if let runAfter = job.runAfter, runAfter > now {
            explanation = Self.explain(later: job, runAfter, now)
        } else {
            explanation = try await explain(due: job, workers, faults)
        }
        explanation.workers = workers
        explanation.faults = faults
        return explanation
    }

    private static func explain(later job: Job, _ runAfter: Timestamp, _ now: Timestamp) -> Explanation {
        let wait = Quantity.text(runAfter - now)
        guard job.failures > 0 else {
            let text =
                job.task == nil
                ? "It is not to run before \(runAfter.rfc3339), in \(wait)."
                : "Its service took no more jobs, for its backlog was full; it is handed over again in \(wait)."
            return make(job, job.createdAt, .waitingForTime, text)
        }
        let error = job.error.map { " with \($0.category.rawValue): \($0.message)" } ?? ""
        let text =
            "Attempt \(job.attempt) failed\(error). It is tried again in \(wait); "
            + "\(max(0, job.maxAttempts - job.failures)) of \(job.maxAttempts) attempts are left. "
            + "To try at once: malla jobs retry \(job.id)"
        return make(job, job.createdAt, .waitingForRetry, text)
    }

    static func make(_ job: Job, _ since: Timestamp, _ cause: Explanation.Cause, _ text: String) -> Explanation {
        Explanation(.job, job.id, status: job.state.contractStatus, since: since, cause: cause, sentence: text)
    }
}
