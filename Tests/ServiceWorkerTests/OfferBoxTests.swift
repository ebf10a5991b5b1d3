// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import LedgerSQLite
import Testing

@testable import ServiceWorker

struct OfferBoxTests {
    /// It once kept a closure that gained two layers with each look: after a hundred thousand jobs a worker did little else.
    @Test(.timeLimit(.minutes(1))) func theMillionthLookCostsWhatTheFirstDid() throws {
        let box = OfferBox(worker: "w", clock: LedgerClock(try SQLiteLedger.inMemory()))
        box.bind { true }
        var offers = 0
        for _ in 0..<1_000_000 where box.body(for: "malla.completions.app.a") != nil { offers += 1 }
        #expect(offers == 0, "nothing is open in its book")
    }
}
