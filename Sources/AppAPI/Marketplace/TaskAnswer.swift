// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Logging
import Plumbing
import ResultStore
import Workflow

/// The envelope that tells how a task stands; for `/result` and for cancelling.
struct TaskAnswer: Sendable {
    let marketplace: Marketplace

    /// A task under way or at its end, as the ledger has it.
    func envelope(_ view: TaskView) async throws(MarketplaceRefusal) -> JSON {
        let stages = StagesProgress.json(view)
        guard view.task.state == .running else {
            let answer = FinalAnswer(task: view.task, stages: stages)
            marketplace.parts.results.put(
                [(ResultKey(.task, view.task.id), answer.bytes)],
                timeToLive: marketplace.settings.resultTTL
            )
            return try await envelope(answer)
        }
        let id: JSON = .string(view.task.id.description)
        guard view.startedAt != nil else {
            return envelope(
                view.task,
                duration: nil,
                response: ["taskId": id, "progress": ["stages": stages]],
                .pending,
                "pending"
            )
        }
        var progress: JSON = ["stages": stages]
        if let last = await lastProgress(of: view) { progress = progress.adding("last", last) }
        return envelope(
            view.task,
            duration: .now - view.task.createdAt,
            response: ["taskId": id, "progress": progress],
            .inProgress,
            "in progress"
        )
    }

    /// A finished task, with URLs that are fresh for this answer.
    func envelope(_ answer: FinalAnswer) async throws(MarketplaceRefusal) -> JSON {
        let task = answer.task
        var end = TaskEnd(task)
        var members: [(String, JSON)] = [("taskId", .string(task.id.description))]
        if task.state == .succeeded {
            let definition = try await definition(hash: task.definition)
            let output = marketplace.answers.members(
                output: task.output,
                type: definition?.output.type,
                expiresIn: marketplace.settings.answerURLExpiry
            )
            if let output { members += output } else { end = end?.withUnreadableOutput }
        }
        if let stages = answer.stages { members.append(("progress", ["stages": stages])) }
        return envelope(
            task,
            duration: end?.duration,
            response: .object(JSONObject(members)),
            end?.code ?? .unknown,
            end?.reason ?? ""
        )
    }

    /// The definition that a task ran, which no file may hold any more.
    private func definition(hash: String) async throws(MarketplaceRefusal) -> WorkflowDefinition? {
        if let today = marketplace.catalog.definition(hash: hash) { return today }
        do throws(LedgerError) {
            return try await marketplace.parts.ledger.definition(hash: hash)
        } catch {
            throw .ledger(error)
        }
    }

    private func envelope(
        _ task: TaskRecord,
        duration: Duration?,
        response: JSON,
        _ code: MarketplaceCode,
        _ reason: String
    ) -> JSON {
        marketplace.writer.envelope(
            requestID: task.request,
            traceID: task.trace.flatMap(TraceContext.traceID(of:)) ?? "",
            duration: duration,
            isImmediate: false,
            response: response,
            code: code,
            reason: reason,
            app: task.app
        )
    }

    /// What a running handler reported last; best effort, the result store is disposable.
    private func lastProgress(of view: TaskView) async -> JSON? {
        do {
            let jobs = try await marketplace.parts.ledger.jobs(ofTask: view.task.id, limit: 64)
            for job in jobs.reversed() where job.state == .running {
                guard let lease = job.lease else { continue }
                let key = ResultKey(.progress, job.id, lease: lease)
                if let bytes = try await marketplace.parts.results.get(key) {
                    return try JSON(parsing: bytes)
                }
            }
        } catch {
            marketplace.parts.logger.debug("a handler's progress can't be read", metadata: [LogKey.error: "\(error)"])
        }
        return nil
    }
}
