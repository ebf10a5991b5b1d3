// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What a stage was given is the answer of each job that it waits for, each in its place.
enum InputRules {
    /// Whose answers a stage gets, in the shape in which it gets them; see ``ChaosDefinitions``.
    private enum Source {
        case nothing
        case stage(String)
        case items(String, count: Int)
        case stages([String])
    }

    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for task in evidence.tasks {
            guard let plan = evidence.plan[task.key] else { continue }
            let all = evidence.jobsByTask[task.id] ?? []
            let jobs = Dictionary(grouping: all) { $0.name ?? "" }
            for job in all {
                guard let name = job.name else { continue }
                let source = source(of: name, plan.payload)
                for call in evidence.callsByJob[job.id] ?? [] where call.ended(.answered) {
                    let from = call.end?.answer["from"] ?? .null
                    guard !isWhole(from, source, jobs, evidence) else { continue }
                    let given = "was given \(from.text.prefix(300)), not what \(source) answered"
                    found.add(.inputIsWhole, task.key, "\(evidence.words(call)) \(given); \(job.words)")
                }
            }
        }
    }

    private static func source(of stage: String, _ payload: JSON) -> Source {
        switch stage {
        case "second": .stage("first")
        case "third": .stage("second")
        case "last" where payload["branch"] != nil: .stages(["left", "right"])
        case "last": payload["items"]?.array.map { .items("items", count: $0.count) } ?? .stage("first")
        default: .nothing
        }
    }

    private static func isWhole(
        _ from: JSON,
        _ source: Source,
        _ jobs: [String: [JobRow]],
        _ evidence: Evidence
    ) -> Bool {
        func isAnswer(_ value: JSON, of job: JobRow?) -> Bool {
            let nonces = evidence.nonces(of: job)
            return value == .null ? nonces.isEmpty : value.string.map(nonces.contains) ?? false
        }
        switch source {
        case .nothing: return from == .null
        case .stage(let name): return isAnswer(from, of: jobs[name]?.first)
        case .stages(let names):
            guard let elements = from.array, elements.count == names.count else { return false }
            return zip(elements, names).allSatisfy { isAnswer($0, of: jobs[$1]?.first) }
        case .items(let name, let count):
            let own = jobs[name] ?? []
            guard let elements = from.array, elements.count == count else { return false }
            let byItem = Dictionary(own.map { ($0.item ?? -1, $0) }) { first, _ in first }
            return elements.indices.allSatisfy { isAnswer(elements[$0], of: byItem[$0]) }
        }
    }
}
