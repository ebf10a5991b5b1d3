// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Every task that has ended has one callback, which is delivered or refused for good.
enum CallbackRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for task in evidence.tasks {
            let rows = evidence.callbacksByTask[task.id] ?? []
            let wanted = task.verdict == nil ? 0 : 1
            if rows.count != wanted {
                let list = rows.isEmpty ? "none" : rows.map(\.words).joined(separator: "; ")
                found.add(.oneCallback, task.key, "\(task.words), its callbacks: \(list)")
            }
            let arrivals = evidence.arrivals[task.id] ?? []
            for row in rows {
                if let plan = evidence.plan[task.key], task.verdict != nil {
                    if plan.receiverIsGone {
                        checkGone(row, of: task, arrivals, evidence, &found)
                    } else {
                        checkDelivered(row, of: task, arrivals, evidence, &found)
                    }
                }
                checkAttempts(row, of: task, arrivals, evidence, &found)
            }
        }
    }

    private static func checkDelivered(
        _ row: CallbackRow,
        of task: TaskRow,
        _ arrivals: [CallbackArrival],
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        let taken = arrivals.first { $0.isTaken }
        let list = words(arrivals, evidence)
        guard let taken else {
            let end = "task ended \(evidence.time(task.finished))"
            found.add(.callbackArrives, task.key, "\(row.words), \(end), and never taken; arrivals: \(list)")
            return
        }
        checkRepeats(row, of: task, arrivals, evidence, &found)
        guard row.state != "delivered" else { return }
        // Its record may still be under way, or be lost with its sender: then it is sent once more.
        if row.state == "pending", isUnderWay(arrivals, evidence, \.isTaken) { return }
        found.add(.callbackArrives, task.key, "\(row.words), but taken \(evidence.time(taken.at)); arrivals: \(list)")
    }

    /// What was taken is sent again only where the sender may have lost the answer, or its record of it, or says itself
    /// that nobody answered an attempt.
    private static func checkRepeats(
        _ row: CallbackRow,
        of task: TaskRow,
        _ arrivals: [CallbackArrival],
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        guard let first = arrivals.firstIndex(where: \.isTaken) else { return }
        let replays = (evidence.clientCalls[task.key] ?? []).count { $0.kind == .replay }
        let unanswered = row.statuses.count { $0 == nil }
        let after = arrivals.count - first - 1
        guard after > replays + unanswered, !wasDisturbed(Array(arrivals[first...]), evidence) else { return }
        let list = words(arrivals, evidence)
        found.add(.takenStops, task.key, "\(row.words), \(after) arrivals after 2xx; arrivals: \(list)")
    }

    private static func checkGone(
        _ row: CallbackRow,
        of task: TaskRow,
        _ arrivals: [CallbackArrival],
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        let list = words(arrivals, evidence)
        guard let first = arrivals.firstIndex(where: { $0.answered == 410 }) else {
            found.add(.callbackArrives, task.key, "\(row.words), and was never answered 410; arrivals: \(list)")
            return
        }
        let replays = (evidence.clientCalls[task.key] ?? []).count { $0.kind == .replay }
        let after = arrivals.count - first - 1
        if after > replays, !wasDisturbed(Array(arrivals[first...]), evidence) {
            found.add(.goneStops, task.key, "\(row.words), \(after) arrivals after 410; arrivals: \(list)")
        }
        let isOpen = row.state == "pending" && isUnderWay(arrivals, evidence) { $0.answered == 410 }
        if row.state != "abandoned", !isOpen {
            found.add(.goneStops, task.key, "\(row.words), but it was answered 410; arrivals: \(list)")
        }
    }

    /// Each attempt that the ledger says was answered is one that the receiver answered so.
    private static func checkAttempts(
        _ row: CallbackRow,
        of task: TaskRow,
        _ arrivals: [CallbackArrival],
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        let recorded = Dictionary(grouping: row.statuses.compactMap(\.self)) { $0 }.mapValues(\.count)
        let real = Dictionary(grouping: arrivals.compactMap(\.answered)) { $0 }.mapValues(\.count)
        for (status, count) in recorded.sorted(by: { $0.key < $1.key }) where count > real[status, default: 0] {
            let list = words(arrivals, evidence)
            found.add(.attemptsAreTrue, task.key, "\(row.words); \(count) were answered \(status); arrivals: \(list)")
        }
    }

    /// Whether the record of a callback that was answered for good may still be written: its last sending is young, and
    /// none before it had the time for that after all faults.
    ///
    /// A run waits for its callbacks far longer than a mesh that is whole takes to send one again.
    private static func isUnderWay(
        _ arrivals: [CallbackArrival],
        _ evidence: Evidence,
        _ isFinal: (CallbackArrival) -> Bool
    ) -> Bool {
        let old = evidence.history.ended - evidence.bounds.record
        guard let last = arrivals.last, last.at > old else { return false }
        let whole = (evidence.disturbances.end ?? evidence.history.began) + evidence.bounds.recovery
        return !arrivals.contains { isFinal($0) && $0.at > whole && $0.at <= old }
    }

    /// Whether the sender may have lost an answer, or its record of it: then it must send again.
    private static func wasDisturbed(_ arrivals: [CallbackArrival], _ evidence: Evidence) -> Bool {
        arrivals.contains { arrival in
            evidence.disturbances.end(
                from: arrival.at - evidence.bounds.step,
                to: arrival.at + evidence.bounds.record
            ) { fault in
                // Which App API sent it is not known.
                fault.isOf(api: nil, to: [.receiver, .server(.postgres)]) || fault.target == .server(.postgres)
            } != nil
        }
    }

    /// The arrivals of a callback, for a reader.
    static func words(_ arrivals: [CallbackArrival], _ evidence: Evidence) -> String {
        guard !arrivals.isEmpty else { return "none" }
        return arrivals.prefix(20).map { "\(evidence.time($0.at)) \($0.answered.map(String.init) ?? "no answer")" }
            .joined(separator: ", ")
    }
}

extension CallbackArrival {
    /// Whether the receiver took it.
    var isTaken: Bool { answered.map { (200..<300).contains($0) } ?? false }
}
