// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A row of `callbacks` with its attempts; see ``LedgerRows``.
struct CallbackRow: Sendable {
    let id: String
    let task: String
    let state: String
    let attempts: Int
    /// SHA-256 of the frozen body, hex.
    let hash: String
    /// The statuses of its recorded attempts; nil for those that nobody answered.
    let statuses: [Int?]

    init?(_ row: JSON) {
        guard let id = row["id"]?.string, let task = row["task"]?.string, let state = row["state"]?.string,
            let attempts = row["attempts"]?.int, let hash = row["hash"]?.string, let made = row["made"]?.array
        else { return nil }
        (self.id, self.task, self.state, self.attempts, self.hash) = (id, task, state, attempts, hash)
        statuses = made.map { $0["status"]?.int }
    }

    /// The row in a few words.
    var words: String {
        let list = statuses.map { $0.map(String.init) ?? "-" }.joined(separator: " ")
        return "callback \(id) is \(state) after \(attempts) attempts (\(list))"
    }
}
