// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A row of `jobs`; see ``LedgerRows``.
struct JobRow: Sendable {
    let id: String
    let task: String
    /// The stage's number in its workflow, and its name when its definition is still there.
    let stage: Int
    let name: String?
    let item: Int?
    let state: String
    let attempt: Int
    let failures: Int
    let deaths: Int
    let orphaned: Int
    let maxAttempts: Int
    /// The limit of an attempt, seconds.
    let timeout: Double
    let deadline: Double?
    let created: Double
    let finished: Double?
    let worker: String?
    /// The category of its error, when it has one.
    let category: String?
    /// Its result, parsed; nil when there is none or it is no JSON.
    let result: JSON?

    /// Whether it has ended.
    var isFinal: Bool { state != "waiting" && state != "running" }

    init?(_ row: JSON) {
        guard let id = row["id"]?.string, let task = row["task"]?.string, let stage = row["stage"]?.int,
            let state = row["state"]?.string, let attempt = row["attempt"]?.int, let failures = row["failures"]?.int,
            let deaths = row["deaths"]?.int, let orphaned = row["orphaned"]?.int,
            let maxAttempts = row["max_attempts"]?.int, let timeout = row["timeout"]?.double,
            let created = row["created"]?.double
        else { return nil }
        (self.id, self.task, self.stage, name, item) = (id, task, stage, row["name"]?.string, row["item"]?.int)
        (self.state, self.attempt, self.failures) = (state, attempt, failures)
        (self.deaths, self.orphaned, self.maxAttempts) = (deaths, orphaned, maxAttempts)
        (self.timeout, deadline, self.created) = (timeout, row["deadline"]?.double, created)
        (finished, worker) = (row["finished"]?.double, row["worker"]?.string)
        category = row["error"]?.string.flatMap { try? JSON(parsing: $0) }?["category"]?.string
        result = row["result"]?.string.flatMap { try? JSON(parsing: $0, maxDepth: 256) }
    }

    /// The row in a few words.
    var words: String {
        "job \(id) of \(place) is \(state), attempt \(attempt), failures \(failures)/\(maxAttempts), deaths \(deaths), "
            + "orphaned \(orphaned)" + (category.map { ", error \($0)" } ?? "")
    }

    /// Its stage and item.
    var place: String { (name ?? "stage \(stage)") + (item.map { "[\($0)]" } ?? "") }
}
