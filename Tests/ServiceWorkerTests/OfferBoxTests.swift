// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import LedgerSQLite
import Synchronization
import Testing
import Workflow

@testable import ServiceWorker

struct OfferBoxTests {
    /// It once kept a closure that gained two layers with each look: after a hundred thousand jobs a worker did little else.
    @Test(.timeLimit(.minutes(1))) func theMillionthLookCostsWhatTheFirstDid() throws {
        let box = OfferBox(worker: "w", clock: LedgerClock(try SQLiteLedger.inMemory()))
        let looks = Atomic(0)
        box.bind { looks.wrappingAdd(1, ordering: .relaxed).newValue > 0 }
        let queue = QueueName.completions(app: "a")
        for _ in 0..<1_000_000 { #expect(box.body(for: queue) == nil, "nothing is open in its book") }
        #expect(looks.load(ordering: .relaxed) == 1_000_000)
    }
}
