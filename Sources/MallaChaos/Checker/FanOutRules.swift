// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A stage has one job for each of its items, and a run counts them right.
enum FanOutRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for task in evidence.tasks { check(task, evidence, &found) }
    }

    private static func check(_ task: TaskRow, _ evidence: Evidence, _ found: inout Findings) {
        let stages = evidence.runsByTask[task.id]?.first?["stages"]?.array ?? []
        let jobs = Dictionary(grouping: evidence.jobsByTask[task.id] ?? [], by: \.stage)
        for (stage, jobs) in jobs.sorted(by: { $0.key < $1.key }) {
            let name = jobs.first?.name ?? "stage \(stage)"
            let items = jobs.compactMap(\.item)
            if Set(items).count != items.count || (items.count != jobs.count && jobs.count > 1) {
                let list = items.sorted().prefix(50).map(String.init).joined(separator: " ")
                found.add(.wholeFanOut, task.key, "\(name) has \(jobs.count) jobs, for the items \(list)")
            } else if let last = items.max(), last != items.count - 1 {
                found.add(.wholeFanOut, task.key, "\(name) has \(jobs.count) jobs, the last of them for item \(last)")
            }
            if stages.indices.contains(stage) {
                compare(stages[stage], with: jobs, name, task, &found)
            } else {
                found.add(.countersAreRight, task.key, "\(name) has jobs, and its run \(stages.count) stages")
            }
        }
        guard task.verdict == .succeeded else { return }
        for (index, stage) in stages.enumerated() where jobs[index] == nil && (stage["total"]?.int ?? 0) > 0 {
            found.add(.wholeFanOut, task.key, "stage \(index) has no jobs; its run says \(stage.text)")
        }
        // A list in the payload is what the stage of its name fans out over.
        let counts = Dictionary(jobs.values.map { ($0.first?.name ?? "", $0.count) }, uniquingKeysWith: +)
        for (name, value) in evidence.plan[task.key]?.payload.object?.members ?? [] {
            guard let items = value.array, counts[name, default: 0] != items.count else { continue }
            found.add(.wholeFanOut, task.key, "\(name) has \(counts[name, default: 0]) jobs for \(items.count) items")
        }
    }

    /// A run that ended otherwise stops counting in the middle of a batch, so it may have counted less.
    private static func compare(
        _ stage: JSON,
        with jobs: [JobRow],
        _ name: String,
        _ task: TaskRow,
        _ found: inout Findings
    ) {
        let counted = ["total", "succeeded", "failed"].map { stage[$0]?.int ?? -1 }
        let real = [
            jobs.count, jobs.count { $0.state == "succeeded" },
            jobs.count { ["failed", "timed_out"].contains($0.state) },
        ]
        let isRight =
            task.verdict == .succeeded
            ? counted == real : counted[0] >= real[0] && counted[1] <= real[1] && counted[2] <= jobs.count
        guard !isRight else { return }
        let rows = "\(real[0]) jobs, \(real[1]) succeeded, \(real[2]) failed"
        found.add(.countersAreRight, task.key, "\(task.words): \(name) has \(rows); its run says \(stage.text)")
    }
}
