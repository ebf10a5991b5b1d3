// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// Writes jobs as the job contract shows them; see its "A job".
enum JobForm {
    /// Deeper than a request's body may be: a workflow may wrap an input or a result in further objects.
    private static let storedDepth = 256

    /// A job with its payloads; `progress` is what its handler told last, as JSON.
    static func json(of record: JobRecord, progress: [UInt8]? = nil) throws -> JSON {
        let usage = try record.usage.map { try JSON(parsing: $0) }
        return json(of: record.job)
            .adding("input", try JSON(parsing: record.input, maxDepth: storedDepth))
            .adding("result", try record.result.map { try JSON(parsing: $0, maxDepth: storedDepth) } ?? .null)
            .adding("usage", usage ?? .null)
            .adding("progress", try progress.map { try JSON(parsing: $0, maxDepth: storedDepth) } ?? .null)
    }

    /// A job without payloads.
    static func json(of job: Job) -> JSON {
        let labels = job.labels ?? JobLabels()
        return .object(
            JSONObject([
                ("id", .string(job.id.description)), ("service", .string(job.service)),
                ("owner_service", text(labels.ownerService)), ("owner_ref", text(labels.ownerRef)),
                ("task_type", text(labels.taskType)), ("model_profile", text(labels.modelProfile)),
                ("user", text(labels.user)), ("dedup_key", text(labels.dedupKey)),
                ("status", .string(job.state.contractStatus)), ("priority", number(labels.priority)),
                ("attempt", number(job.attempt)), ("failures", number(job.failures)),
                ("max_attempts", number(job.maxAttempts)), ("error", error(of: job)),
                ("worker_id", text(job.worker)), ("lease_id", text(job.lease?.description)),
                ("lease_expires_at", moment(job.leaseUntil)), ("run_after", moment(job.runAfter)),
                ("deadline", moment(job.deadline)), ("task_id", text(job.task?.description)), ("app", text(job.app)),
                ("stage", number(job.stage)), ("item", number(job.item)), ("created_at", moment(job.createdAt)),
                ("started_at", moment(job.startedAt)), ("finished_at", moment(job.finishedAt)),
                ("duration_ms", duration(of: job)),
            ])
        )
    }

    static func moment(_ moment: Timestamp?) -> JSON { moment.map { .string($0.rfc3339) } ?? .null }

    private static func error(of job: Job) -> JSON {
        guard let error = job.error else { return .null }
        return error.json.adding("attempt", .number(JSONNumber(job.attempt)))
    }

    private static func duration(of job: Job) -> JSON {
        guard let start = job.startedAt, let end = job.finishedAt else { return .null }
        return .number(JSONNumber(Int((end - start).wholeMilliseconds)))
    }

    private static func text(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }

    private static func number(_ number: Int?) -> JSON { number.map { .number(JSONNumber($0)) } ?? .null }
}
