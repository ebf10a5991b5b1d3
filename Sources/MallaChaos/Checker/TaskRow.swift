// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A row of `tasks`; see ``LedgerRows``.
struct TaskRow: Sendable {
    let id: String
    let key: String
    let user: String
    let method: String
    let state: String
    let created: Double
    let deadline: Double
    let finished: Double?
    /// The output, parsed; nil when there is none or it is no JSON.
    let output: JSON?
    /// The error's category and message, when there is one.
    let error: JSON?

    /// How it ended; nil when it has not.
    var verdict: Verdict? { Verdict(rawValue: state) }

    init?(_ row: JSON) {
        guard let id = row["id"]?.string, let key = row["key"]?.string, let user = row["user"]?.string,
            let method = row["method"]?.string, let state = row["state"]?.string,
            let created = row["created"]?.double, let deadline = row["deadline"]?.double
        else { return nil }
        (self.id, self.key, self.user, self.method, self.state) = (id, key, user, method, state)
        (self.created, self.deadline, finished) = (created, deadline, row["finished"]?.double)
        output = row["output"]?.string.flatMap { try? JSON(parsing: $0, maxDepth: 256) }
        error = row["error"]?.string.flatMap { try? JSON(parsing: $0) }
    }

    /// The row in a few words.
    var words: String {
        let reason = error.map { ", \($0["category"]?.string ?? "?"): \($0["message"]?.string ?? "")" } ?? ""
        return "task \(id) (\(method)) is \(state)\(reason)"
    }
}
