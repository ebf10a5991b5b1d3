// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A cancel that was answered has ended its task; no handler of it starts any more, and those that run are stopped.
enum CancelRules {
    /// A cancel as its client sees it.
    private struct Cancel {
        /// When it was first asked for.
        let began: Double
        /// When it was answered.
        let ended: Double
        /// The App APIs that were asked; nil where that is not known.
        let apis: Set<Role?>
        /// For a reader.
        let words: String
    }

    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for (key, calls) in evidence.clientCalls.sorted(by: { $0.key < $1.key }) {
            let cancels = calls.filter { $0.kind == .cancel }
            guard let answer = cancels.filter(\.isAnswered).min(by: { $0.ended < $1.ended }),
                let task = evidence.tasksByKey[key]?.first
            else { continue }
            let when = "cancelled \(evidence.time(answer.began)), answered \(evidence.time(answer.ended))"
            let isOpen = Envelope(answer.answer)?.isOpen ?? false
            let isLate = task.finished.map { $0 > answer.ended + evidence.bounds.clocks } ?? true
            if isOpen || isLate {
                let end = "finished \(evidence.time(task.finished))"
                let said = Envelope(answer.answer).map { "_\($0.code)" } ?? "no envelope"
                found.add(.cancelCounts, key, "\(when) with \(said), but \(task.words), \(end)")
            }
            guard task.verdict == .cancelled else { continue }
            // One that was not answered may have been the one that counted.
            let earlier = cancels.filter { $0.began <= answer.began }
            let cancel = Cancel(
                began: earlier.first?.began ?? answer.began,
                ended: answer.ended,
                apis: Set(earlier.map(\.api)),
                words: when
            )
            for job in evidence.jobsByTask[task.id] ?? [] {
                for call in evidence.callsByJob[job.id] ?? [] {
                    checkStart(of: call, job, cancel, key, evidence, &found)
                    checkStop(of: call, job, cancel, key, evidence, &found)
                }
            }
        }
    }

    private static func checkStart(
        of call: HandlerCall,
        _ job: JobRow,
        _ cancel: Cancel,
        _ key: String,
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        let bounds = evidence.bounds
        guard call.began > cancel.ended + bounds.cancel else { return }
        var limit = cancel.ended + bounds.cancel
        if lostHint(of: cancel, call, until: call.began, evidence) {
            limit = max(limit, cancel.ended + bounds.beat + bounds.step)
        }
        if let end = ownFault(of: call, cancel, until: call.began, tail: bounds.beat, evidence) {
            limit = max(limit, cancel.ended + bounds.beat + bounds.step, end + bounds.step)
        }
        if let end = ledgerFault(of: call, cancel, until: call.began, tail: bounds.beat, evidence) {
            limit = max(limit, cancel.ended + bounds.beat + bounds.step, end + bounds.beat + bounds.step)
        }
        guard call.began > limit else { return }
        let late = CallRules.seconds(call.began - cancel.ended)
        found.add(.cancelStops, key, "\(cancel.words); \(evidence.words(call)), \(late) after it; \(job.words)")
    }

    private static func checkStop(
        of call: HandlerCall,
        _ job: JobRow,
        _ cancel: Cancel,
        _ key: String,
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        let bounds = evidence.bounds
        let stopped = call.lastSeen
        guard stopped > cancel.ended + bounds.cancel + bounds.step else { return }
        var limit = cancel.ended + bounds.cancel + bounds.step
        let late = bounds.beat + bounds.grace + bounds.step
        // A hint finds no job whose claim is still on its way to the worker: then its next beat tells.
        if call.began > cancel.began - bounds.step { limit = max(limit, cancel.ended + late, call.began + late) }
        if lostHint(of: cancel, call, until: stopped, evidence) { limit = max(limit, cancel.ended + late) }
        if let end = ownFault(of: call, cancel, until: stopped, tail: bounds.recovery, evidence) {
            limit = max(limit, cancel.ended + late, end + late)
        }
        // No hint names a lease that was lost, and its worker learns of that once it reaches the ledger again.
        if let end = ledgerFault(of: call, cancel, until: stopped, tail: bounds.recovery, evidence) {
            limit = max(limit, cancel.ended + late, end + bounds.recovery + late)
        }
        guard stopped > limit else { return }
        let length = CallRules.seconds(stopped - cancel.ended)
        let last = "last seen \(evidence.time(stopped)), \(length) after it"
        let worker = call.worker ?? "an unknown worker"
        found.add(
            .cancelEndsHandlers,
            key,
            "\(cancel.words); \(evidence.words(call)) on \(worker), \(last); \(job.words)"
        )
    }

    // MARK: What excuses a delay

    // design.md promises a second, and a beat where the hint was lost. A worker that stood still, or could not reach
    // the ledger either, learns of it once that is over. Nobody else's trouble delays it.

    /// Whether the hint may not have reached the call's worker: Redis, the way there from either side, or the App API
    /// that was asked, gone before it told.
    private static func lostHint(
        of cancel: Cancel,
        _ call: HandlerCall,
        until end: Double,
        _ evidence: Evidence
    ) -> Bool {
        let bounds = evidence.bounds
        return evidence.disturbances.end(from: cancel.began - bounds.step, to: end, tail: bounds.beat) { fault in
            fault.isOf(.redis, on: call.worker)
                || cancel.apis.contains { fault.isOf(api: $0, to: [.server(.redis), .server(.postgres)]) }
        } != nil
    }

    /// The end of a fault of the call's own worker.
    private static func ownFault(
        of call: HandlerCall,
        _ cancel: Cancel,
        until end: Double,
        tail: Double,
        _ evidence: Evidence
    ) -> Double? {
        evidence.disturbances.end(from: cancel.began - evidence.bounds.step, to: end, tail: tail) {
            $0.isOf(worker: call.worker)
        }
    }

    /// The end of a fault of PostgreSQL or the call's worker's way to it.
    private static func ledgerFault(
        of call: HandlerCall,
        _ cancel: Cancel,
        until end: Double,
        tail: Double,
        _ evidence: Evidence
    ) -> Double? {
        evidence.disturbances.end(from: cancel.began - evidence.bounds.step, to: end, tail: tail) {
            $0.isOf(.postgres, on: call.worker)
        }
    }
}
