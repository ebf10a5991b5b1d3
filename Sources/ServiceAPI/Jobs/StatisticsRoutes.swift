// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import Plumbing
import Workflow

/// The numbers of jobs: how many in each state, errors, waits and runs, throughput, use.
struct StatisticsRoutes: Sendable {
    let ledger: any Ledger

    var routes: [APIRoute] {
        let groups = JobStatisticsQuery.Grouping.allCases.map { JSON.string($0.rawValue) }
        return [
            APIRoute(
                method: .get,
                path: "/api/v1/stats",
                tag: "jobs",
                summary: "The numbers of all jobs, by task type, and by what `group_by` names.",
                parameters: [
                    .init(name: "from", schema: JobSchemas.moment, text: "Jobs created at or after this moment."),
                    .init(name: "to", schema: JobSchemas.moment, text: "Jobs created before this moment."),
                    .init(name: "group_by", schema: ["enum": .array(groups)], text: "What to group by besides."),
                ],
                answers: [.init(status: .ok, text: "The numbers.", schema: JobSchemas.statistics)],
                handle: { request, _ in try await show(request.uri.queryParameters) }
            )
        ]
    }

    private func show(_ query: Parameters) async throws -> Response {
        let members = try MemberReader(query: query, known: ["from", "to", "group_by"])
        let from = try members.moment("from")
        let to = try members.moment("to")
        let grouping = try grouping(members)
        if let from, let to, from >= to { throw members.wrong("to", "give a moment after 'from'") }
        let all = try await ledger.statistics(JobStatisticsQuery(from: from, to: to))
        let types = try await ledger.statistics(JobStatisticsQuery(from: from, to: to, grouping: .taskType))
        let total = all.first ?? JobStatistics(group: "")
        var json = Self.json(of: total)
        json = json.adding("from", JobForm.moment(from)).adding("to", JobForm.moment(to))
            .adding("throughput", try await throughput(from: from, to: to, total))
            .adding("task_types", .array(types.map { Self.group($0) }))
        if let grouping {
            let groups = try await ledger.statistics(JobStatisticsQuery(from: from, to: to, grouping: grouping))
            json = json.adding("group_by", .string(grouping.rawValue))
                .adding("groups", .array(groups.map { Self.group($0) }))
        }
        return .json(json)
    }

    private func grouping(_ members: MemberReader) throws(Problem) -> JobStatisticsQuery.Grouping? {
        guard let name = try members.text("group_by") else { return nil }
        guard let grouping = JobStatisticsQuery.Grouping(rawValue: name) else {
            let known = JobStatisticsQuery.Grouping.allCases.map(\.rawValue).joined(separator: ", ")
            throw members.wrong("group_by", "give one of \(known)")
        }
        return grouping
    }

    /// Completed jobs a minute in the span that was asked for; of the last hour when no beginning is named.
    private func throughput(from: Timestamp?, to: Timestamp?, _ total: JobStatistics) async throws -> JSON {
        let end = min(to ?? .now, .now)
        let start = from ?? (end - .seconds(3600))
        var numbers = total
        if from == nil {
            numbers = try await ledger.statistics(JobStatisticsQuery(from: start, to: to)).first ?? .init(group: "")
        }
        let completed = numbers.states[.succeeded, default: 0]
        let seconds = max(1, (end - start).inSeconds)
        return [
            "from": .string(start.rfc3339), "to": .string(end.rfc3339), "completed": .number(JSONNumber(completed)),
            "per_minute": .number(JSONNumber((Double(completed) / seconds * 60 * 1000).rounded() / 1000)),
        ]
    }

    private static func group(_ numbers: JobStatistics) -> JSON {
        guard case .object(let members) = json(of: numbers) else { return .null }
        return .object(JSONObject([("group", .string(numbers.group))] + members.members.map { ($0.name, $0.value) }))
    }

    private static func json(of numbers: JobStatistics) -> JSON {
        var states: [String: Int] = [
            "pending": 0, "running": 0, "completed": 0, "failed": 0, "cancelled": 0,
        ]
        for (state, count) in numbers.states { states[state.contractStatus, default: 0] += count }
        let errors = numbers.errors.map { ($0.key.rawValue, JSON.number(JSONNumber($0.value))) }.sorted { $0.0 < $1.0 }
        let names = ["pending", "running", "completed", "failed", "cancelled"]
        return [
            "total": .number(JSONNumber(numbers.states.values.reduce(0, +))),
            "states": .object(JSONObject(names.map { ($0, .number(JSONNumber(states[$0, default: 0]))) })),
            "errors": .object(JSONObject(errors)), "repeats": .number(JSONNumber(numbers.repeats)),
            "wait_ms": percentiles(numbers.waitMilliseconds), "run_ms": percentiles(numbers.runMilliseconds),
            "usage": numbers.usage.json, "cost_usd": .number(JSONNumber(numbers.usage.costUSD ?? 0)),
        ]
    }

    private static func percentiles(_ pair: (p50: Double, p95: Double)?) -> JSON {
        guard let pair else { return .null }
        return ["p50": .number(JSONNumber(pair.p50.rounded())), "p95": .number(JSONNumber(pair.p95.rounded()))]
    }
}
