// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Completions
import Ledger

/// A follow-up that hands every outcome to the test, after it told its hints.
final class RecordedFollowUp: SettledFollowUp {
    let outcomes: AsyncStream<SettleOutcome>
    private let sink: AsyncStream<SettleOutcome>.Continuation
    private let hints: SettledHints

    init(hints: SettledHints) {
        self.hints = hints
        (outcomes, sink) = AsyncStream.makeStream()
    }

    func settled(_ outcome: SettleOutcome) {
        hints.settled(outcome)
        sink.yield(outcome)
    }
}
