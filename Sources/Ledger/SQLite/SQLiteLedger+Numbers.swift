// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
public import Ledger
public import Plumbing
import Workflow

extension SQLiteLedger {
    /// The numbers of each method; what retention deleted counts by the hour it was accepted in.
    public func numbers(_ query: NumbersQuery) async throws(LedgerError) -> [Numbers] {
        try await read { db in
            var sums: [Numbers.Key: Numbers] = [:]
            let (filter, values) = Self.filter(query, user: "t.user", moment: "t.created_at")
            let living = try db.rows(
                """
                SELECT t.user, t.method, t.state, r.started_at IS NOT NULL, count(*)
                FROM tasks t JOIN runs r ON r.task = t.id WHERE t.app = ?\(filter) GROUP BY 1, 2, 3, 4
                """,
                StatementArguments(values),
                Self.count
            )
            let (sweptFilter, sweptValues) = Self.filter(query, user: "user", moment: "hour")
            let swept = try db.rows(
                "SELECT user, method, state, 1, sum(count) FROM swept WHERE app = ?\(sweptFilter) GROUP BY 1, 2, 3",
                StatementArguments(sweptValues),
                Self.count
            )
            for (key, state, hasStarted, count) in living + swept {
                for sum in key.sums(query) { sums[sum.key, default: sum].add(count, state, hasStarted: hasStarted) }
            }
            var durations: [Numbers.Key: [Int64]] = [:]
            let cursor = try Row.fetchCursor(
                db,
                sql: """
                    SELECT t.user, t.method, t.finished_at - t.created_at FROM tasks t
                    WHERE t.app = ?\(filter) AND t.state = 'succeeded' AND t.finished_at IS NOT NULL ORDER BY 3
                    """,
                arguments: StatementArguments(values)
            )
            while let row = try cursor.next() {
                for sum in UserMethod(user: row[0], method: row[1]).sums(query) {
                    durations[sum.key, default: []].append(row[2])
                }
            }
            for (key, sorted) in durations {
                sums[key]?.p50Milliseconds = Self.percentile(0.5, of: sorted)
                sums[key]?.p95Milliseconds = Self.percentile(0.95, of: sorted)
            }
            return Array(sums.values)
        }
    }

    private struct UserMethod {
        let user: String
        let method: String

        /// The empty sums that a row of this user counts in.
        func sums(_ query: NumbersQuery) -> [Numbers] {
            let own = Numbers(user: user, method: method)
            return query.user == nil ? [own, Numbers(user: nil, method: method)] : [own]
        }
    }

    private static func count(_ row: Row) throws -> (UserMethod, Run.State, hasStarted: Bool, count: Int) {
        let state = try row.some((row[2] as String?).flatMap(Run.State.init(rawValue:)))
        return (UserMethod(user: row[0], method: row[1]), state, row[3], row[4])
    }

    private static func filter(
        _ query: NumbersQuery,
        user: String,
        moment: String
    ) -> (sql: String, values: [any DatabaseValueConvertible]) {
        var sql = ""
        var values: [any DatabaseValueConvertible] = [query.app]
        if let name = query.user {
            sql += " AND \(user) = ?"
            values.append(name)
        }
        if let from = query.from {
            sql += " AND \(moment) >= ?"
            values.append(from.microseconds)
        }
        if let to = query.to {
            sql += " AND \(moment) < ?"
            values.append(to.microseconds)
        }
        return (sql, values)
    }

    /// The percentile of sorted microseconds in milliseconds, between neighbours as PostgreSQL's `percentile_cont`.
    static func percentile(_ part: Double, of sorted: [Int64]) -> Double? {
        guard let last = sorted.last else { return nil }
        let position = part * Double(sorted.count - 1)
        let below = Int(position)
        let low = Double(sorted[below])
        let high = Double(below + 1 < sorted.count ? sorted[below + 1] : last)
        return (low + (high - low) * (position - Double(below))) / 1000
    }

    /// Deletes what ended long ago and keeps its counts.
    public func sweep(finishedBefore moment: Timestamp, limit: Int) async throws(LedgerError) -> Int {
        try await write(isDurable: false) { db in
            let hour = Int64(3_600_000_000)
            let old = try db.rows(
                """
                SELECT id, app, user, method, state, created_at FROM tasks
                WHERE finished_at IS NOT NULL AND finished_at < ? AND NOT EXISTS (
                    SELECT 1 FROM callbacks WHERE callbacks.task = tasks.id AND callbacks.state = 'pending')
                ORDER BY finished_at LIMIT ?
                """,
                [moment.microseconds, limit]
            ) { row in
                let values: [any DatabaseValueConvertible] = [
                    try row.some(row[1] as String?), try row.some(row[2] as String?), try row.some(row[3] as String?),
                    try row.some(row[5] as Int64?) / hour * hour, try row.some(row[4] as String?),
                ]
                return (id: try row.some(try row.meshID(0)).blob, values: values)
            }
            for (id, values) in old {
                try db.run(
                    """
                    INSERT INTO swept (app, user, method, hour, state, count) VALUES (?, ?, ?, ?, ?, 1)
                    ON CONFLICT DO UPDATE SET count = count + 1
                    """,
                    StatementArguments(values)
                )
                try Self.deleteCallbacks(of: id, db)
                try db.run("DELETE FROM jobs WHERE task = ?", [id])
                try db.run("DELETE FROM runs WHERE task = ?", [id])
                try db.run("DELETE FROM tasks WHERE id = ?", [id])
            }
            let direct = try db.rows(
                """
                SELECT id FROM jobs WHERE task IS NULL AND finished_at IS NOT NULL AND finished_at < ? AND NOT EXISTS (
                    SELECT 1 FROM callbacks WHERE callbacks.task = jobs.id AND callbacks.state = 'pending')
                ORDER BY finished_at LIMIT ?
                """,
                [moment.microseconds, limit - old.count]
            ) { try $0.some(try $0.meshID(0)).blob }
            for id in direct {
                try Self.deleteCallbacks(of: id, db)
                try db.run("DELETE FROM jobs WHERE id = ?", [id])
            }
            return old.count + direct.count
        }
    }

    private static func deleteCallbacks(of task: Data, _ db: Database) throws {
        try db.run("DELETE FROM attempts WHERE callback IN (SELECT id FROM callbacks WHERE task = ?)", [task])
        try db.run("DELETE FROM callbacks WHERE task = ?", [task])
    }
}

extension Numbers {
    fileprivate mutating func add(_ count: Int, _ state: Run.State, hasStarted: Bool) {
        switch state {
        case .running where hasStarted: running += count
        case .running: pending += count
        case .succeeded: succeeded += count
        case .failed: failed += count
        case .cancelled: cancelled += count
        case .timedOut: timedOut += count
        }
    }
}
