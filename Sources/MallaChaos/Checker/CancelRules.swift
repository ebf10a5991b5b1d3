// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A cancel that was answered has ended its task, and no handler of it starts any more.
enum CancelRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for (key, calls) in evidence.clientCalls.sorted(by: { $0.key < $1.key }) {
            guard let cancel = calls.filter({ $0.kind == .cancel && $0.isAnswered }).min(by: { $0.ended < $1.ended }),
                let task = evidence.tasksByKey[key]?.first
            else { continue }
            let when = "cancelled \(evidence.time(cancel.began)), answered \(evidence.time(cancel.ended))"
            let isOpen = Envelope(cancel.answer)?.isOpen ?? false
            let isLate = task.finished.map { $0 > cancel.ended + evidence.bounds.clocks } ?? true
            if isOpen || isLate {
                let end = "finished \(evidence.time(task.finished))"
                let said = Envelope(cancel.answer).map { "_\($0.code)" } ?? "no envelope"
                found.add(.cancelCounts, key, "\(when) with \(said), but \(task.words), \(end)")
            }
            guard task.verdict == .cancelled else { continue }
            for job in evidence.jobsByTask[task.id] ?? [] {
                for call in evidence.callsByJob[job.id] ?? [] where call.began > cancel.ended + evidence.bounds.cancel {
                    guard call.began > limit(cancel, call, evidence) else { continue }
                    let late = CallRules.seconds(call.began - cancel.ended)
                    found.add(.cancelStops, key, "\(when); \(evidence.words(call)), \(late) after it; \(job.words)")
                }
            }
        }
    }

    /// The latest moment at which a call may begin.
    ///
    /// design.md promises a second, and a beat where the hint was lost: without Redis, or with the App API gone before
    /// it told. A worker that stood still, or could not reach the ledger either, learns of it once that is over.
    private static func limit(_ cancel: ClientCall, _ call: HandlerCall, _ evidence: Evidence) -> Double {
        let bounds = evidence.bounds
        var limit = cancel.ended + bounds.cancel
        func fault(_ parts: Disturbances.Parts) -> Double? {
            evidence.disturbances.end(of: parts, from: cancel.began - bounds.step, to: call.began, tail: bounds.beat)
        }
        if fault([.redis, .appAPIs, .serviceAPIs]) != nil {
            limit = max(limit, cancel.ended + bounds.beat + bounds.step)
        }
        if let end = fault([.workers]) {
            limit = max(limit, cancel.ended + bounds.beat + bounds.step, end + bounds.step)
        }
        if let end = fault([.ledger]) {
            limit = max(limit, cancel.ended + bounds.beat + bounds.step, end + bounds.beat + bounds.step)
        }
        return limit
    }
}
