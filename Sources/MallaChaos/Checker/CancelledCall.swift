// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A call of a handler whose task was cancelled: how late it may begin, and go on.
///
/// design.md promises a second, and a beat where the hint was lost. A worker that stood still, or could not reach the
/// ledger either, learns of it once that is over. Nobody else's trouble delays it.
struct CancelledCall {
    /// A cancel as its client sees it.
    struct Cancel {
        /// When it was first asked for.
        let began: Double
        /// When it was answered.
        let ended: Double
        /// The App APIs that were asked; nil where that is not known.
        let apis: Set<Role?>
        /// For a reader.
        let words: String
    }

    let call: HandlerCall
    let job: JobRow
    let cancel: Cancel
    let key: String
    let evidence: Evidence

    private var bounds: Bounds { evidence.bounds }

    /// None begins once the cancel was answered.
    func checkStart(_ found: inout Findings) {
        guard call.began > cancel.ended + bounds.cancel else { return }
        var limit = cancel.ended + bounds.cancel
        let beat = cancel.ended + bounds.beat + bounds.step
        if lostHint(until: call.began) { limit = max(limit, beat) }
        if let end = ownFault(until: call.began, tail: bounds.beat) { limit = max(limit, beat, end + bounds.step) }
        if let end = ledgerFault(until: call.began, tail: bounds.beat) {
            limit = max(limit, beat, end + bounds.beat + bounds.step)
        }
        guard call.began > limit else { return }
        let late = CallRules.seconds(call.began - cancel.ended)
        found.add(.cancelStops, key, "\(cancel.words); \(evidence.words(call)), \(late) after it; \(job.words)")
    }

    /// One that runs is stopped.
    func checkStop(_ found: inout Findings) {
        let stopped = call.lastSeen
        guard stopped > cancel.ended + bounds.cancel + bounds.step else { return }
        var limit = cancel.ended + bounds.cancel + bounds.step
        // Whether it may begin so late is another rule; it is stopped as soon as one that ran.
        if call.began > cancel.ended { limit = max(limit, call.began + bounds.cancel + bounds.step) }
        let late = bounds.beat + bounds.grace + bounds.step
        if lostHint(until: stopped) { limit = max(limit, cancel.ended + late) }
        if let end = ownFault(until: stopped, tail: bounds.recovery) {
            limit = max(limit, cancel.ended + late, end + late)
        }
        // No hint names a lease that was lost, and its worker learns of that once it reaches the ledger again.
        if let end = ledgerFault(until: stopped, tail: bounds.recovery) {
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

    /// Whether the hint may not have reached the call's worker: Redis, the way there from either side, or the App API
    /// that was asked, gone before it told.
    private func lostHint(until end: Double) -> Bool {
        lastFault(until: end, tail: bounds.beat) { fault in
            fault.isOf(.redis, on: call.worker)
                || cancel.apis.contains { fault.isOf(api: $0, to: [.server(.redis), .server(.postgres)]) }
        } != nil
    }

    /// The end of a fault of the call's own worker.
    private func ownFault(until end: Double, tail: Double) -> Double? {
        lastFault(until: end, tail: tail) { $0.isOf(worker: call.worker) }
    }

    /// The end of a fault of PostgreSQL or the call's worker's way to it.
    private func ledgerFault(until end: Double, tail: Double) -> Double? {
        lastFault(until: end, tail: tail) { $0.isOf(.postgres, on: call.worker) }
    }

    private func lastFault(until end: Double, tail: Double, where fits: (Fault) -> Bool) -> Double? {
        evidence.disturbances.end(from: cancel.began - bounds.step, to: end, tail: tail, where: fits)
    }
}
