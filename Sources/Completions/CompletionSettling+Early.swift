// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Workflow

extension CompletionSettling {
    /// How far a completion may be ahead of the commit of its job, which was announced to its worker.
    ///
    /// One that is farther ahead than that is sent again by its worker, like any that is not settled. So it need not
    /// be long, and is not, as the delivery is kept that long also where the job never comes.
    private static let lead: Duration = .milliseconds(500)

    /// Whether its job may be about to be committed: its worker was told of it before.
    static func mayBeAhead(_ entry: Entry) -> Bool {
        if case .cancelled = entry.settlement.event { return false }
        return ContinuousClock.now < entry.since + lead
    }

    /// Judges completions again that were ahead of their jobs, after a few milliseconds.
    func settle(early batch: [Entry], early inbox: Inbox<Entry>) async {
        let since = batch.map(\.since).min() ?? .now
        let pause = min(max((ContinuousClock.now - since) / 2, .milliseconds(2)), .milliseconds(20))
        // Cut short, they are judged at once.
        try? await Task.sleep(for: pause)
        await record(batch, early: inbox)
    }
}
