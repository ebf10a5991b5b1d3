// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// Every submit that was answered well has its one task, and nothing else has one.
enum AcceptanceRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for task in evidence.history.tasks {
            let submits = (evidence.clientCalls[task.key] ?? []).filter { $0.kind == .submit }
            let rows = evidence.tasksByKey[task.key] ?? []
            for submit in submits { check(submit, of: task, rows, evidence, &found) }
            let ids = Set(submits.compactMap(\.acceptedTask))
            if ids.isEmpty { checkMissing(task, submits, evidence, &found) }
            if ids.count > 1 {
                found.add(
                    .oneAnswerPerKey,
                    task.key,
                    "its submits were answered \(ids.sorted().joined(separator: ", "))"
                )
            }
            if rows.count > 1 {
                let list = rows.map { "\($0.words), created \(evidence.time($0.created))" }.joined(separator: "; ")
                found.add(.oneTaskPerKey, task.key, list)
            }
            for row in rows { compare(row, with: task, hasSubmit: !submits.isEmpty, evidence, &found) }
        }
        for row in evidence.tasks where evidence.plan[row.key] == nil {
            let when = evidence.time(row.created)
            found.add(.nothingUnasked, row.key, "\(row.words), created \(when), and its key is not in the plan")
        }
    }

    /// A task that nobody accepted: its client asked until well after the last fault, or was refused for good.
    private static func checkMissing(
        _ task: PlannedTask,
        _ submits: [ClientCall],
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        let whole = (evidence.disturbances.end ?? evidence.history.began) + evidence.bounds.recovery
        // Whoever gave up while faults lasted proves nothing.
        if let last = submits.last, last.isExcuse, last.ended < whole, evidence.disturbances.end != nil { return }
        let answers = Dictionary(grouping: submits) { $0.status.map(String.init) ?? "no answer" }.mapValues(\.count)
        let list = answers.sorted { $0.key < $1.key }.map { "\($0.value) times \($0.key)" }.joined(separator: ", ")
        let until = evidence.time(submits.map(\.ended).max())
        let faults = "the last fault ended \(evidence.time(evidence.disturbances.end))"
        found.add(
            .everyTaskIsAccepted,
            task.key,
            submits.isEmpty ? "it was never submitted" : "submitted until \(until): \(list); \(faults)"
        )
    }

    private static func check(
        _ submit: ClientCall,
        of task: PlannedTask,
        _ rows: [TaskRow],
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        let when = "submitted \(evidence.time(submit.began)), answered \(evidence.time(submit.ended))"
        if submit.status == 409 {
            found.add(.repeatIsAccepted, task.key, "\(when): 409, \(submit.answer.text.prefix(300))")
        }
        // 429 and 503 say that a repeat may go well, and no answer says nothing; all else is an end or a fault of ours.
        if let status = submit.status, ![200, 409, 429, 503].contains(status) {
            found.add(.refusedForNow, task.key, "\(when): \(status), \(submit.answer.text.prefix(300))")
        }
        guard submit.status == 200 else { return }
        guard let id = submit.acceptedTask else {
            found.add(.acceptedIsKept, task.key, "\(when): 200 without a task's id, \(submit.answer.text.prefix(300))")
            return
        }
        guard let row = rows.first else {
            found.add(.acceptedIsKept, task.key, "\(when) with task \(id), which is not in the ledger")
            return
        }
        if !rows.contains(where: { $0.id == id }) {
            found.add(.oneAnswerPerKey, task.key, "\(when) with task \(id), but the ledger has \(row.id)")
        }
    }

    private static func compare(
        _ row: TaskRow,
        with task: PlannedTask,
        hasSubmit: Bool,
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        if !hasSubmit {
            found.add(.nothingUnasked, task.key, "\(row.words), created \(evidence.time(row.created)), never submitted")
        }
        if row.user != task.user || row.method != task.method {
            let (planned, kept) = ("\(task.method) of \(task.user)", "\(row.method) of \(row.user)")
            found.add(.taskAsPlanned, task.key, "it was submitted as \(planned), and is \(kept)")
        }
        if let deadline = task.deadline, abs(row.deadline - row.created - deadline) > evidence.bounds.clocks {
            found.add(
                .taskAsPlanned,
                task.key,
                "it may take \(deadline) s, its row says \(row.deadline - row.created) s"
            )
        }
    }
}
