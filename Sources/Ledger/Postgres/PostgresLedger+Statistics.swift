// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
import Plumbing
import Workflow

extension PostgresLedger {
    /// The numbers of jobs by groups, in one statement that reads the jobs of the time asked for.
    public func statistics(_ query: JobStatisticsQuery) async throws(LedgerError) -> [JobStatistics] {
        var filter = PostgresJobFilter("statistics_\(query.grouping?.rawValue ?? "all")")
        filter.add(from: query.from, to: query.to)
        let statement = PostgresStatement(filter.name, Self.statistics(by: query.grouping, filter.text))
        let groups = try await run(PostgresCall(statement, filter.parameters), on: durable)
            .map(Self.readStatistics)
        // By bytes as Swift compares, not by the collation of the database.
        return groups.filter { !$0.states.isEmpty }.sorted { $0.group < $1.group }
    }

    private static func readStatistics(_ row: inout PostgresRow) throws(LedgerError) -> JobStatistics {
        var statistics = JobStatistics(group: try row.text())
        for state in JobState.allCases {
            let count = try row.int()
            if count > 0 { statistics.states[state] = count }
        }
        for category in JobError.Category.allCases {
            let count = try row.int()
            if count > 0 { statistics.errors[category] = count }
        }
        statistics.repeats = try row.int()
        let (wait50, wait95) = (try row.doubleIfAny(), try row.doubleIfAny())
        let (run50, run95) = (try row.doubleIfAny(), try row.doubleIfAny())
        if let wait50, let wait95 { statistics.waitMilliseconds = (wait50, wait95) }
        if let run50, let run95 { statistics.runMilliseconds = (run50, run95) }
        statistics.usage.gpuMilliseconds = try row.doubleIfAny().flatMap { Int(exactly: $0.rounded()) }
        statistics.usage.costUSD = try row.doubleIfAny()
        statistics.usage.promptTokens = try row.doubleIfAny().flatMap { Int(exactly: $0.rounded()) }
        statistics.usage.completionTokens = try row.doubleIfAny().flatMap { Int(exactly: $0.rounded()) }
        return statistics
    }

    // MARK: Statements

    private static func column(of grouping: JobStatisticsQuery.Grouping?) -> String {
        switch grouping {
        case nil: "''"
        case .service: "service"
        case .ownerService: "coalesce(owner_service, '')"
        case .taskType: "coalesce(task_type, '')"
        case .modelProfile: "coalesce(model_profile, '')"
        case .worker: "coalesce(worker, '')"
        }
    }

    private static func statistics(by grouping: JobStatisticsQuery.Grouping?, _ filter: String) -> String {
        let states = JobState.allCases.map { "count(*) FILTER (WHERE state = \($0.code))" }
        let categories = JobError.Category.allCases.map { "count(*) FILTER (WHERE category = '\($0.rawValue)')" }
        let percentiles = ["wait", "run"].flatMap { column in
            ["0.5", "0.95"].map { share in
                "percentile_cont(\(share)) WITHIN GROUP (ORDER BY \(column)) FILTER (WHERE \(column) IS NOT NULL)"
            }
        }
        let sums = ["gpu_ms", "cost_usd", "prompt_tokens", "completion_tokens"].map { "sum(\(number($0)))::float8" }
        let counts = states + categories + ["coalesce(sum(greatest(attempt - 1, 0)), 0)::bigint"]
        return """
            SELECT kind, \((counts + percentiles + sums).joined(separator: ",\n    "))
            FROM (
                SELECT \(column(of: grouping))::text AS kind, state, attempt, encode(usage, 'escape') AS usage,
                    CASE WHEN state = 5 THEN coalesce(error_category, 'timeout')
                        WHEN state = 3 THEN coalesce(error_category, 'internal') END AS category,
                    (extract(epoch FROM started_at - created_at) * 1000)::float8 AS wait,
                    CASE WHEN state = 2 THEN (extract(epoch FROM finished_at - started_at) * 1000)::float8 END AS run
                FROM jobs\(filter)
            ) job GROUP BY kind
            """
    }

    /// A member of the usage: digits that any number can hold, so that no stored bytes can fail the cast.
    private static func number(_ member: String) -> String {
        let pattern = #""\#(member)":\s*(-?[0-9]{1,18}(?:\.[0-9]{1,30})?(?:[eE][-+]?[0-9]{1,2})?)\s*[,}]"#
        return "substring(usage FROM '\(pattern)')::numeric"
    }
}
