// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// One call of a handler, from its marks.
struct HandlerCall: Sendable {
    let nonce: String
    let key: String
    let job: String
    let stage: String
    let item: Int?
    let attempt: Int
    /// The process id of the handler.
    let process: Int
    /// The role whose handler was called; nil when that is not known.
    let worker: String?
    /// When it began; its first mark when that is not in the journal.
    let began: Double
    /// Its last mark, which a call that was killed outlived by very little when it wrote that it was alive.
    let lastSeen: Double
    /// The mark of its end; nil when it was killed, or is still under way.
    let end: HandlerMark?

    /// Makes a call of the marks of one nonce, in any order; nil without any.
    init?(_ marks: [HandlerMark]) {
        guard let first = marks.min(by: { $0.at < $1.at }) else { return nil }
        let start = marks.first { $0.kind == .began } ?? first
        (nonce, key, job) = (start.nonce, start.key, start.job)
        (stage, item, attempt, process, began) = (start.stage, start.item, start.attempt, start.process, start.at)
        worker = start.worker
        // What it raised or returned counts; that it noticed a cancellation on the way does not end it.
        end =
            marks.last { [.answered, .failed, .refused].contains($0.kind) } ?? marks.last { $0.kind == .stopped }
        lastSeen = end?.at ?? marks.map(\.at).max() ?? began
    }

    /// Whether it ended so.
    func ended(_ kinds: HandlerMark.Kind...) -> Bool { end.map { kinds.contains($0.kind) } ?? false }
}
