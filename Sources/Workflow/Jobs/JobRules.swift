// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// The table of design.md, "The life of a job", as a pure function: the one truth that both ledgers follow.
public enum JobRules {
    /// Deaths of the handler's process after which a job counts as poison.
    public static let poisonDeaths = 2
    /// Deaths of its worker after which a job counts as poison.
    public static let poisonOrphanings = 10
    /// Deaths of its worker from which on a job runs alone.
    public static let aloneOrphanings = 2

    /// Applies an event at a moment of the ledger's clock.
    ///
    /// - Parameter jitter: 0 to 1, how much of the back-off's random part to take off.
    /// - Returns: the job as it is after, or nil when the guard refuses the event (a stale lease, a final state).
    public static func apply(_ event: JobEvent, to job: Job, at now: Timestamp, jitter: Double = 0.5) -> Job? {
        if case .retried = event { return retry(job, at: now) }
        guard !job.state.isFinal else { return nil }
        switch event {
        case .claimed(let lease, let worker): return claim(job, lease: lease, worker: worker, at: now)
        case .cancelled: return end(job, as: .cancelled, JobError(.cancelled, "cancelled"), at: now)
        case .deadlinePassed: return expire(job, at: now)
        case .attemptTimedOut: return timeOutAttempt(job, at: now, jitter: jitter)
        case .completed(let lease):
            return holds(job, lease) ? end(job, as: .succeeded, nil, at: now) : nil
        case .failed(let lease, let error):
            return holds(job, lease) ? fail(job, error, at: now, jitter: jitter) : nil
        case .handedBack(let lease):
            return holds(job, lease) ? requeue(job) : nil
        case .handlerDied(let lease, let error):
            return holds(job, lease) ? bury(job, error, at: now) : nil
        case .orphaned(let lease):
            return holds(job, lease) ? orphan(job, at: now) : nil
        case .retried: return nil
        }
    }

    private static func holds(_ job: Job, _ lease: LeaseID) -> Bool {
        job.state == .running && job.lease == lease
    }

    private static func claim(_ job: Job, lease: LeaseID, worker: String, at now: Timestamp) -> Job? {
        guard job.state == .waiting else { return nil }
        if let runAfter = job.runAfter, runAfter > now { return nil }
        if let deadline = job.deadline, deadline <= now { return nil }
        var job = job
        job.state = .running
        job.attempt += 1
        job.lease = lease
        job.worker = worker
        job.startedAt = now
        job.runAfter = nil
        return job
    }

    private static func end(_ job: Job, as state: JobState, _ error: JobError?, at now: Timestamp) -> Job {
        var job = job
        job.state = state
        job.leaseUntil = nil
        job.error = error ?? (state == .succeeded ? nil : job.error)
        job.finishedAt = now
        job.runAfter = nil
        return job
    }

    /// A direct job that failed begins anew, with its deadline at least as far off as it was at first.
    private static func retry(_ job: Job, at now: Timestamp) -> Job? {
        switch job.state {
        case .waiting: return job.runAfter == nil ? nil : requeue(job)
        case .running: return requeue(job)
        case .succeeded, .cancelled: return nil
        case .failed, .timedOut:
            guard job.task == nil else { return nil }
            var job = requeue(job)
            job.failures = 0
            job.deaths = 0
            job.orphaned = 0
            job.error = nil
            job.finishedAt = nil
            job.deadline = job.deadline.map { now + ($0 - job.createdAt) }
            return job
        }
    }

    private static func requeue(_ job: Job, notBefore runAfter: Timestamp? = nil) -> Job {
        var job = job
        job.state = .waiting
        job.lease = nil
        job.worker = nil
        job.leaseUntil = nil
        job.startedAt = nil
        job.runAfter = runAfter
        return job
    }

    private static func fail(_ job: Job, _ error: JobError, at now: Timestamp, jitter: Double) -> Job {
        var job = job
        job.failures += 1
        job.error = error
        guard !error.isFinal, job.failures < job.maxAttempts else { return end(job, as: .failed, error, at: now) }
        let doublings = min(job.failures - 1, 30)
        let full = min(job.backoff.base * (1 << doublings), job.backoff.cap)
        return requeue(job, notBefore: now + full * (1 - job.backoff.jitter * jitter))
    }

    private static func bury(_ job: Job, _ error: JobError, at now: Timestamp) -> Job {
        var job = job
        job.deaths += 1
        job.error = error
        guard job.deaths >= poisonDeaths else { return requeue(job) }
        let poison = JobError(.poison, "its handler's process died \(job.deaths) times; last: \(error.message)")
        return end(job, as: .failed, poison, at: now)
    }

    private static func orphan(_ job: Job, at now: Timestamp) -> Job {
        var job = job
        job.orphaned += 1
        guard job.orphaned >= poisonOrphanings else { return requeue(job) }
        return end(job, as: .failed, JobError(.poison, "\(job.orphaned) workers died while they ran it"), at: now)
    }

    private static func timeOutAttempt(_ job: Job, at now: Timestamp, jitter: Double) -> Job? {
        guard job.state == .running, let startedAt = job.startedAt, startedAt + job.timeout <= now else { return nil }
        let error = JobError(
            .timeout,
            "the attempt took longer than its limit of \(Quantity.text(job.timeout))"
        )
        return fail(job, error, at: now, jitter: jitter)
    }

    private static func expire(_ job: Job, at now: Timestamp) -> Job? {
        guard let deadline = job.deadline, deadline <= now else { return nil }
        return end(job, as: .timedOut, JobError(.timeout, "the deadline passed", isFinal: true), at: now)
    }
}
