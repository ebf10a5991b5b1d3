// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A cancel that was answered has ended its task; no handler of it starts any more, and those that run are stopped.
enum CancelRules {
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
            let cancel = CancelledCall.Cancel(
                began: earlier.first?.began ?? answer.began,
                ended: answer.ended,
                apis: Set(earlier.map(\.api)),
                words: when
            )
            for job in evidence.jobsByTask[task.id] ?? [] {
                for call in evidence.callsByJob[job.id] ?? [] {
                    let cancelled = CancelledCall(call: call, job: job, cancel: cancel, key: key, evidence: evidence)
                    cancelled.checkStart(&found)
                    cancelled.checkStop(&found)
                }
            }
        }
    }
}
