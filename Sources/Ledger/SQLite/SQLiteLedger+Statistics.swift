// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
public import Ledger
public import Plumbing
public import Workflow

extension SQLiteLedger {
    /// The numbers of jobs by groups.
    public func statistics(_ query: JobStatisticsQuery) async throws(LedgerError) -> [JobStatistics] {
        let group = query.grouping.map { "ifnull(\(Self.column(of: $0)), '')" } ?? "''"
        return try await read { db in
            var condition = SQLCondition()
            condition.add("created_at", from: query.from, to: query.to)
            var sums: [String: JobSums] = [:]
            let cursor = try Row.fetchCursor(
                db.cachedStatement(
                    sql: """
                        SELECT \(group), state, attempt, error_category, created_at, started_at, finished_at, usage
                        FROM jobs WHERE \(condition.sql)
                        """
                ),
                arguments: StatementArguments(condition.values)
            )
            while let row = try cursor.next() {
                try sums[try row.some(row[0] as String?), default: JobSums()].add(row)
            }
            return sums.map { $0.value.statistics(of: $0.key) }.sorted { $0.group < $1.group }
        }
    }

    private static func column(of grouping: JobStatisticsQuery.Grouping) -> String {
        switch grouping {
        case .service: "service"
        case .ownerService: "owner_service"
        case .taskType: "task_type"
        case .modelProfile: "model_profile"
        case .worker: "worker"
        }
    }

    /// How the jobs of a service fared that ended last.
    public func timings(ofService service: String, limit: Int) async throws(LedgerError) -> [JobTiming] {
        guard limit > 0 else { return [] }
        return try await read { db in
            // One walk back in the index by state, so that no backlog hides what ended.
            let newest = """
                SELECT id, started_at, finished_at FROM jobs WHERE service = ? AND state = ? ORDER BY id DESC LIMIT ?
                """
            let states = [JobState.succeeded, .failed, .timedOut].map(\.rawValue)
            let union = states.map { _ in "SELECT * FROM (\(newest))" }.joined(separator: " UNION ALL ")
            let values: [any DatabaseValueConvertible] = states.flatMap { state -> [any DatabaseValueConvertible] in
                [service, state, limit]
            }
            return try db.rows(
                """
                SELECT started_at, finished_at FROM (SELECT * FROM (\(union)) ORDER BY id DESC LIMIT ?)
                WHERE started_at IS NOT NULL AND finished_at IS NOT NULL ORDER BY finished_at DESC, id DESC
                """,
                StatementArguments(values + [limit])
            ) { row in
                let end = try row.some(row.moment(1))
                return JobTiming(run: end - (try row.some(row.moment(0))), finishedAt: end)
            }
        }
    }

    /// The attempts of a job that did not succeed.
    public func attempts(ofJob job: JobID) async throws(LedgerError) -> [AttemptRecord] {
        try await read { db in try JobHistory.read(job, db) }
    }
}
