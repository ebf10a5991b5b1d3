// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Plumbing
public import Workflow

/// A small ``RunFinishing`` for tests: fresh ids, the stage's own limits, one callback per task that ends.
public struct LedgerRunFinishing: RunFinishing {
    /// The worker that new jobs are claimed for; nil when they wait.
    private let worker: String?
    private let word: WordToWorkers?

    /// Makes one.
    ///
    /// - Parameters:
    ///   - worker: new jobs are created as claimed for it.
    ///   - word: notes what is announced; without it nothing is.
    public init(worker: String? = nil, word: WordToWorkers? = nil) {
        self.worker = worker
        self.word = word
    }

    /// Notes jobs, and so announces them.
    public func announce(_ jobs: [JobRecord]) -> [JobRecord] {
        guard let word else { return [] }
        word.announce(jobs)
        return jobs
    }

    /// Notes it.
    public func revoke(_ announced: [JobRecord]) { word?.revoke(announced) }

    /// Makes a job with the stage's limits and the task's deadline; it ranks by the task's time.
    public func job(from seed: JobSeed, stage: StageDefinition, index: Int, task: TaskRecord, at now: Timestamp) -> Job
    {
        let job = Job(
            id: MeshID(at: now),
            task: task.id,
            app: task.app,
            stage: index,
            item: seed.item,
            service: stage.service,
            maxAttempts: stage.maxAttempts,
            backoff: stage.backoff,
            timeout: stage.timeout,
            deadline: task.deadline,
            rank: task.createdAt.microseconds,
            createdAt: now,
            trace: task.trace
        )
        guard let worker else { return job }
        return JobRules.apply(.claimed(lease: LeaseID(), worker: worker), to: job, at: now) ?? job
    }

    /// Makes one callback whose body is the task's output, or its state when it has none.
    public func callbacks(
        for task: TaskRecord,
        definition: WorkflowDefinition?,
        at now: Timestamp
    ) -> [CallbackRecord] {
        [
            CallbackRecord(
                id: MeshID(at: now),
                task: task.id,
                app: task.app,
                url: task.callbackURL ?? "http://receiver.invalid/",
                isTrusted: task.callbackURL == nil,
                headers: [("content-type", "application/json"), ("x-request-id", task.request)],
                body: task.output ?? Array(task.state.rawValue.utf8),
                dueAt: now,
                createdAt: now
            )
        ]
    }

    /// Makes one callback whose body is the job's result, or its input when it has none.
    public func callbacks(for ended: JobRecord, at now: Timestamp) -> [CallbackRecord] {
        [
            CallbackRecord(
                id: MeshID(at: now),
                task: ended.job.id,
                app: CallbackRecord.directApp,
                url: ended.job.labels?.webhook ?? "",
                isTrusted: false,
                headers: [("x-state", ended.job.state.rawValue)],
                body: ended.result ?? ended.input,
                dueAt: now,
                createdAt: now
            )
        ]
    }
}
