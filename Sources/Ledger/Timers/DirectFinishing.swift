// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// The finishing of an API that serves no app: direct jobs have no run to advance and no callback to write.
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
}
