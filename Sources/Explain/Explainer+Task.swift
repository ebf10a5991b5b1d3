// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension Explainer {
    /// How many jobs of a task are looked at: a fan-out has 10,000 at most, and the first open ones say enough.
    private static let jobLimit = 20_000

    /// Explains a task; nil when there is none.
    func explain(task id: TaskID) async throws(LedgerError) -> Explanation? {
        guard let view = try await ledger.task(id) else { return nil }
        let jobs = try await ledger.jobs(ofTask: id, limit: Self.jobLimit)
        var explanation = try await view.run.state == .running ? open(view, jobs) : ended(view, jobs)
        explanation.stages = view.run.stages.enumerated().map { index, stage in
            let own = jobs.filter { $0.stage == index }
            return Explanation.Stage(
                name: view.stageNames.indices.contains(index) ? view.stageNames[index] : "stage \(index + 1)",
                counters: stage,
                running: own.count { $0.state == .running },
                waiting: own.count { $0.state == .waiting }
            )
        }
        return explanation
    }

    private func open(_ view: TaskView, _ jobs: [Job]) async throws(LedgerError) -> Explanation {
        let task = view.task
        let left = jobs.filter { !$0.state.isFinal }
        guard let first = left.min(by: Self.hangsOnMore) else {
            let text =
                "All its jobs have ended, and its App API has yet to go on with it: it is busy, away, or can't be reached "
                + "by the broker. It goes on by itself once an App API of '\(task.app)' runs."
            var explanation = Self.make(view, "running", task.createdAt, .waitingForApp, text)
            explanation.faults = await faults()
            return explanation
        }
        let job = try await explain(first)
        let name = first.stage.flatMap { view.stageNames.indices.contains($0) ? view.stageNames[$0] : nil } ?? "?"
        let stage = first.stage.flatMap { view.run.stages.indices.contains($0) ? view.run.stages[$0] : nil }
        let isJoin = (stage?.total ?? 1) > 1
        var text: String
        if let stage, isJoin {
            let ended = jobs.count { $0.stage == first.stage && $0.state.isFinal }
            let open = left.filter { $0.stage == first.stage }
            text =
                "Stage '\(name)' waits for its join: \(ended) of \(stage.total) jobs have ended, "
                + "\(open.count { $0.state == .running }) run, \(open.count { $0.state == .waiting }) wait. "
                + "Of job \(first.id): \(job.sentence)"
        } else {
            text = "Stage '\(name)' is not done. \(job.sentence)"
        }
        text += " The task ends at \(task.deadline.rfc3339) at the latest."
        let cause: Explanation.Cause = isJoin && job.cause == .running ? .waitingForJoin : job.cause
        var explanation = Self.make(view, "running", stage?.startedAt ?? task.createdAt, cause, text)
        explanation.service = first.service
        explanation.faults = job.faults
        explanation.jobs = [job]
        return explanation
    }

    /// A job that nobody runs keeps its task longer than one that runs.
    private static func hangsOnMore(_ left: Job, _ right: Job) -> Bool {
        (left.state == .waiting ? 0 : 1, left.stage ?? 0, left.item ?? 0)
            < (right.state == .waiting ? 0 : 1, right.stage ?? 0, right.item ?? 0)
    }

    private func ended(_ view: TaskView, _ jobs: [Job]) async throws(LedgerError) -> Explanation {
        let task = view.task
        let at = task.finishedAt ?? task.createdAt
        let took = Quantity.text(at - task.createdAt)
        let reason = task.error.map { ": \($0.message)" } ?? ""
        let place = task.failedStage.map { " in stage '\($0)'" } ?? ""
        let (cause, status, text): (Explanation.Cause, String, String) =
            switch view.run.state {
            case .succeeded: (.completed, "completed", "It is done, \(took) after its request.")
            case .cancelled: (.cancelled, "cancelled", "It was cancelled \(took) after its request.")
            case .timedOut:
                (
                    .deadlinePassed, "failed",
                    "Its deadline passed \(took) after its request\(Self.unfinished(view)). Give the app a longer deadline, or "
                        + "the services more workers."
                )
            case .failed, .running: (.failed, "failed", "It failed\(place)\(reason).")
            }
        var explanation = Self.make(view, status, at, cause, "\(text)\(try await callbacks(of: task.id))")
        if let failed = jobs.first(where: { $0.state == .failed || $0.state == .timedOut }) {
            explanation.jobs = [try await explain(failed)]
        }
        return explanation
    }

    private static func unfinished(_ view: TaskView) -> String {
        let names = view.run.stages.indices.filter { view.run.stages[$0].status == .cancelled }.map { index in
            view.stageNames.indices.contains(index) ? "'\(view.stageNames[index])'" : "\(index + 1)"
        }
        return names.isEmpty ? "" : " in stage \(names.joined(separator: ", "))"
    }

    /// How the client was told.
    private func callbacks(of task: TaskID) async throws(LedgerError) -> String {
        try await ledger.callbacks(of: task).map { callback, attempts in
            let error = attempts.last?.error.map { ": \($0)" } ?? ""
            return switch callback.state {
            case .delivered: " Its callback was delivered."
            case .abandoned: " Its callback was given up after \(callback.attempts) attempts\(error)."
            case .pending where callback.attempts == 0: " Its callback is about to be sent."
            case .pending:
                " Its callback failed \(callback.attempts) times\(error); it is sent again at \(callback.dueAt.rfc3339)."
            }
        }.joined()
    }

    private static func make(
        _ view: TaskView,
        _ status: String,
        _ since: Timestamp,
        _ cause: Explanation.Cause,
        _ text: String
    ) -> Explanation {
        Explanation(.task, view.task.id, status: status, since: since, cause: cause, sentence: text)
    }
}
