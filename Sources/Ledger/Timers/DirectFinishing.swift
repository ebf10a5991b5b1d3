// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// The finishing of direct jobs: they have no run to advance; whoever named a webhook is told of the end.
public struct DirectFinishing: RunFinishing {
    /// Makes one.
    public init() {}

    /// A plain job of the stage; direct jobs never get here.
    public func job(from seed: JobSeed, stage: StageDefinition, index: Int, task: TaskRecord, at now: Timestamp) -> Job
    {
        Job(
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
            createdAt: task.createdAt,
            trace: task.trace
        )
    }

    /// None.
    public func callbacks(
        for task: TaskRecord,
        definition: WorkflowDefinition?,
        at now: Timestamp
    ) -> [CallbackRecord] { [] }

    /// The call of a direct job's webhook, RunPod's status with the input beside it; none without a webhook.
    public func callbacks(for ended: JobRecord, at now: Timestamp) -> [CallbackRecord] {
        let job = ended.job
        guard job.task == nil, job.state.isFinal, let webhook = job.labels?.webhook else { return [] }
        let usage = ended.usage.flatMap { try? JSON(parsing: $0) }.map { JobUsage(json: $0) }
        return [
            CallbackRecord(
                id: MeshID(at: now),
                task: job.id,
                app: CallbackRecord.directApp,
                url: webhook,
                isTrusted: false,
                headers: [],
                body: RunPodStatus(job, result: ended.result, usage: usage, input: ended.input).bytes,
                dueAt: now + CallbackRecord.hold,
                createdAt: now
            )
        ]
    }
}

extension CallbackRecord {
    /// For how long a callback that has just been written or taken is one process's alone to send.
    ///
    /// Short, as it is what a callback waits for when its process dies; who sends slowly renews it.
    public static let hold: Duration = .seconds(8)
}
