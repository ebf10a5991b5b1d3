// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What reached the receiver is the frozen callback of a task that has ended, and nothing else.
enum ArrivalRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for (id, arrivals) in evidence.arrivals.sorted(by: { $0.key < $1.key }) {
            guard let task = evidence.taskByID[id] else {
                let list = CallbackRules.words(arrivals, evidence)
                found.add(.callbackIsKnown, id.isEmpty ? "a body without a task" : id, "not in the ledger: \(list)")
                continue
            }
            guard let finished = task.finished, task.verdict != nil else {
                let list = CallbackRules.words(arrivals, evidence)
                found.add(.callbackIsKnown, task.key, "\(task.words), and callbacks came: \(list)")
                continue
            }
            let row = evidence.callbacksByTask[id]?.first
            var bodies: Set<String> = []
            for arrival in arrivals {
                check(arrival, of: task, finished, row, evidence, &found)
                // Alike bodies need one look.
                guard bodies.insert(arrival.bodyHash).inserted else { continue }
                let source = "callback of \(evidence.time(arrival.at))"
                guard let envelope = Envelope(arrival.body) else {
                    found.add(.saidIsTrue, task.key, "\(source) is no envelope: \(arrival.body.text.prefix(200))")
                    continue
                }
                if envelope.request != task.key {
                    let named = envelope.request ?? "no request"
                    found.add(.namesItsTask, task.key, "\(source) names \(named), but \(task.words)")
                }
                AnswerRules.compare(envelope, with: task, source, &found)
            }
        }
    }

    private static func check(
        _ arrival: CallbackArrival,
        of task: TaskRow,
        _ finished: Double,
        _ row: CallbackRow?,
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        let source = "callback \(arrival.id) of \(evidence.time(arrival.at))"
        if let row, row.id != arrival.id { found.add(.oneCallbackID, task.key, "\(source), but \(row.words)") }
        if let row, row.hash != arrival.bodyHash {
            found.add(.oneBody, task.key, "\(source) has the body \(arrival.bodyHash), the ledger \(row.hash)")
        }
        if !arrival.isSigned { found.add(.callbackIsSigned, task.key, "\(source): its signature is wrong") }
        if arrival.at < finished - evidence.bounds.clocks {
            found.add(.callbackAfterEnd, task.key, "\(source), but \(task.words) since \(evidence.time(finished))")
        }
    }
}
