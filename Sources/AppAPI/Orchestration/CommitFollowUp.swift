// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import Completions
import Ledger
import Logging
import Metrics
import Plumbing
import ResultStore
import Workflow

/// What follows a commit: next jobs to their services, hints, final results, callbacks.
///
/// It never waits.
struct CommitFollowUp: SettledFollowUp {
    let desk: HandOverDesk
    let assignments: AssignmentDesk
    let results: any ResultStore
    let sender: CallbackSender
    let backlog: BacklogGauge
    let resultTTL: Duration
    let logger: Logger

    /// After the commit of accepted tasks, before each of them is answered.
    func stored(_ requests: [NewTask]) {
        assignments.send(requests.flatMap { $0.jobs.filter { $0.job.state == .running } })
    }

    /// After a task was accepted.
    func accepted(_ request: NewTask) {
        logger.debug(
            "task accepted",
            metadata: [
                LogKey.task: "\(request.task.id)", LogKey.app: "\(request.task.app)",
                LogKey.request: "\(request.task.request)", LogKey.count: "\(request.jobs.count)",
            ]
        )
        desk.enqueue(request.jobs.map(\.job))
        sender.enqueue(request.callbacks)
        if request.task.state != .running { finished([request.task]) }
    }

    /// After jobs or tasks were settled.
    func settled(_ outcome: SettleOutcome) {
        let cancelled = Set(outcome.cancelled.map(\.id))
        assignments.send(outcome.assigned.filter { !cancelled.contains($0.job.id) })
        desk.enqueue(outcome.ready)
        SettledHints(results: results).settled(outcome)
        sender.enqueue(outcome.callbacks)
        finished(outcome.finished)
    }

    private func finished(_ tasks: [TaskRecord]) {
        guard !tasks.isEmpty else { return }
        backlog.end(tasks)
        // A metric is looked up by its words: once for all tasks of a kind.
        for alike in Dictionary(grouping: tasks, by: { [$0.app, $0.method, $0.state.rawValue] }).values {
            let kind = alike[0]
            Counter(
                label: "malla_tasks_finished_total",
                dimensions: [("app", kind.app), ("state", kind.state.rawValue)]
            ).increment(by: alike.count)
            let duration = Timer(
                label: "malla_task_duration_seconds",
                dimensions: [("app", kind.app), ("method", kind.method)]
            )
            for task in alike { duration.recordMicroseconds(Self.duration(of: task).wholeMicroseconds) }
        }
        for task in tasks {
            logger.info(
                "task finished",
                metadata: [
                    LogKey.task: "\(task.id)", LogKey.app: "\(task.app)", "malla.state": "\(task.state.rawValue)",
                    LogKey.duration: "\(Self.duration(of: task).wholeMilliseconds) ms",
                    LogKey.trace: "\(task.trace.flatMap(TraceContext.traceID(of:)) ?? "")",
                ]
            )
        }
        results.put(
            tasks.map { (ResultKey(.task, $0.id), FinalAnswer(task: $0, stages: nil).bytes) },
            timeToLive: resultTTL
        )
    }

    private static func duration(of task: TaskRecord) -> Duration {
        max(.zero, (task.finishedAt ?? .now) - task.createdAt)
    }
}
