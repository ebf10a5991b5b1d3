// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// The data of a task that succeeded hold the answer of each of its jobs, each in its place, and nothing else.
enum DataRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for task in evidence.tasks where task.verdict == .succeeded {
            let isNamed = (evidence.jobsByTask[task.id] ?? []).allSatisfy { $0.name != nil }
            // Without its definition nobody knows the stages' names.
            guard isNamed, let plan = evidence.plan[task.key], let output = task.output else { continue }
            for trouble in troubles(with: output, of: task, plan, evidence) {
                found.add(.dataAreWhole, task.key, "\(task.words): \(trouble); its data: \(output.text.prefix(300))")
            }
        }
    }

    private static func troubles(
        with output: JSON,
        of task: TaskRow,
        _ plan: PlannedTask,
        _ evidence: Evidence
    ) -> [String] {
        var troubles: [String] = []
        var output = output
        if let parts = output.array {
            // A hybrid answer is a list of parts, of which one holds the answers and the others media.
            if !parts.contains(where: { $0["dataType"]?.string == "S3_OBJECT" && ($0["data"] ?? .null) != .null }) {
                troubles.append("no media")
            }
            output = parts.first { $0["dataType"]?.string == "META_DATA" }?["data"] ?? .null
        }
        guard let data = output.object else { return troubles + ["no object"] }
        let jobs = Dictionary(grouping: evidence.jobsByTask[task.id] ?? []) { $0.name ?? "" }
        let members = plan.payload.object?.members ?? []
        let lists = members.compactMap { name, value in value.array.map { (name, $0.count) } }
        let counts = Dictionary(lists) { first, _ in first }
        for name in Set(jobs.keys).union(counts.keys).sorted() where !name.isEmpty {
            let own = jobs[name] ?? []
            guard let value = data[name] else {
                troubles.append("\(name) is missing")
                continue
            }
            if let count = counts[name] {
                troubles += list(value, name, own, count, evidence)
            } else if !Self.isAnswer(value, of: own.first, evidence) {
                troubles.append("\(name) is not the answer of \(own.first?.words ?? "a job")")
            }
        }
        for (name, value) in data.members where jobs[name] == nil && counts[name] == nil && name != "failed" {
            if value != .null { troubles.append("\(name) is of no job") }
        }
        if task.method == "quorum" || data["failed"] != nil {
            let told = (data["failed"]?.array ?? []).map { $0["index"]?.int ?? -1 }.sorted()
            let real = (jobs["items"] ?? []).filter { $0.state != "succeeded" }.map { $0.item ?? -1 }.sorted()
            if told != real { troubles.append("the items \(told) are said to have failed, and \(real) have") }
        }
        return troubles
    }

    /// What is wrong with the answers of a stage that fans out.
    private static func list(
        _ value: JSON,
        _ name: String,
        _ jobs: [JobRow],
        _ count: Int,
        _ evidence: Evidence
    ) -> [String] {
        guard let elements = value.array, elements.count == count else {
            return ["\(name) has \(value.array?.count.description ?? "no") answers for \(count) items"]
        }
        let byItem = Dictionary(jobs.map { ($0.item ?? -1, $0) }) { first, _ in first }
        let wrong = elements.indices.filter { !isAnswer(elements[$0], of: byItem[$0], evidence) }
        return wrong.prefix(5).map { "\(name)[\($0)] is not the answer of \(byItem[$0]?.words ?? "a job")" }
    }

    /// Whether a value is a job's answer, or null for one that gave none.
    private static func isAnswer(_ value: JSON, of job: JobRow?, _ evidence: Evidence) -> Bool {
        let nonces = evidence.nonces(of: job)
        return value == .null ? nonces.isEmpty : value["nonce"]?.string.map(nonces.contains) ?? false
    }
}
