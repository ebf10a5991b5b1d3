// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import GRDB
import Ledger
import Plumbing
import Workflow

/// Conditions that all must hold, with their values.
struct SQLCondition {
    private(set) var sql = "TRUE"
    private(set) var values: [any DatabaseValueConvertible] = []

    /// Adds a condition.
    mutating func add(_ condition: String, _ more: (any DatabaseValueConvertible)...) {
        sql += " AND " + condition
        values += more
    }

    /// Adds "column = value", unless there is none.
    mutating func add(_ column: String, equals value: (any DatabaseValueConvertible)?) {
        if let value { add("\(column) = ?", value) }
    }

    /// Adds "column is one of these", unless there is no list; an empty list matches nothing.
    mutating func add(_ column: String, in list: [String]?) {
        guard let list else { return }
        if list.count == 1 { return add(column, equals: list[0]) }
        sql += " AND \(column) IN (\(databaseQuestionMarks(count: list.count)))"
        values += list
    }

    /// Adds that a moment lies in `from`..<`to`.
    mutating func add(_ column: String, from: Timestamp?, to: Timestamp?) {
        if let from { add("\(column) >= ?", from.microseconds) }
        if let to { add("\(column) < ?", to.microseconds) }
    }

    /// Adds that the worker has this id, or this name: an id is a name, a hyphen and 36 digits and hyphens.
    mutating func add(worker: String?) {
        guard let worker else { return }
        add(
            "(worker = ? OR length(worker) = length(?) + 37 AND substr(worker, 1, length(?) + 1) = ? || '-')",
            worker,
            worker,
            worker,
            worker
        )
    }

    /// What a query for jobs asks for.
    init(_ query: JobQuery) {
        add("service", in: query.services)
        add("state", in: query.states?.map(\.rawValue))
        add("owner_service", equals: query.ownerService)
        add("owner_ref", equals: query.ownerRef)
        add("task_type", in: query.taskTypes)
        add("model_profile", equals: query.modelProfile)
        add(worker: query.worker)
        add("task", equals: query.task?.blob)
        add("created_at", from: query.from, to: query.to)
        if let before = query.before { add("id < ?", before.blob) }
    }

    /// Nothing yet.
    init() {}
}
