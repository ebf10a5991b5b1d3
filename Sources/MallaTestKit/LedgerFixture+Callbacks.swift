// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing

extension LedgerFixture {
    /// Delivers every due callback of an app, so that nothing keeps what has ended from being swept; tells how many.
    @discardableResult
    func deliverCallbacks(of app: String) async throws -> Int {
        let taken = try await ledger.takeCallbacks(apps: [app], limit: 100, hold: .seconds(600))
        try await ledger.record(
            taken.map { callback in
                let attempt = CallbackAttempt(
                    callback: callback.id,
                    number: 1,
                    startedAt: .now,
                    duration: .zero,
                    status: 200,
                    error: nil
                )
                return (attempt, .delivered, nil)
            }
        )
        return taken.count
    }
}
