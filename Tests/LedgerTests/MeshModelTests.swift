// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

@Suite("The life of a job, as a model under faults")
struct MeshModelTests {
    @Test("every accepted task ends once, as its handlers' answers imply, whatever crashes", arguments: 0..<8)
    func interleavings(block: Int) throws {
        let workflows = try LedgerWorkflows.all()
        for seed in (block * 60)..<(block * 60 + 60) {
            var model = MeshModel(
                seed: UInt64(seed),
                definitions: [workflows.chain, workflows.fanAll, workflows.fanSome]
            )
            for _ in 0..<300 { try model.step(isAccepting: true) }
            model.faults = false
            var steps = 0
            while !model.isAtRest, steps < 20_000 {
                try model.step(isAccepting: false)
                steps += 1
            }
            let isAtRest = model.isAtRest
            try #require(isAtRest, "seed \(seed): something is stuck")
            check(model, seed: seed)
        }
    }

    private func check(_ model: MeshModel, seed: Int) {
        for (id, (task, run)) in model.tasks {
            #expect(task.state == run.state, "seed \(seed), task \(id): task and run differ")
            #expect(model.callbacks[id] == 1, "seed \(seed), task \(id): callbacks")
            let jobs = model.jobs.values.filter { $0.job.task == id }
            if let expected = expectation(of: task, model) {
                let isExpected =
                    task.state == expected.state && (expected.output == nil || task.output == expected.output)
                let found = task.output.map { String(decoding: $0, as: UTF8.self) } ?? "no output"
                #expect(
                    isExpected
                        || (model.disturbed.contains(id) && (task.state == .cancelled || task.state == .timedOut)),
                    "seed \(seed), task \(id) \(task.method): \(task.state) \(found), expected \(expected)"
                )
            }
            for (index, stage) in run.stages.enumerated() {
                let ended = jobs.filter { $0.job.stage == index }
                #expect(
                    stage.succeeded <= ended.count { $0.job.state == .succeeded },
                    "seed \(seed): a join counted twice"
                )
                #expect(stage.succeeded + stage.failed <= stage.total, "seed \(seed): a join counted too much")
            }
            checkFailures(of: jobs, model, seed: seed)
        }
        let direct = model.jobs.values.filter { $0.job.task == nil }
        for record in direct {
            let id = record.job.id
            let expected: JobState = model.succeeds(record.job) ? .succeeded : .failed
            #expect(record.job.state == expected, "seed \(seed), direct job \(id): \(record.job)")
            #expect(record.job.leaseUntil == nil, "seed \(seed), direct job \(id): a lease by time is left")
            let ends = 1 + model.revivals[id, default: 0]
            #expect(model.callbacks[id] == ends, "seed \(seed), direct job \(id): callbacks of \(ends) ends")
        }
        checkFailures(of: direct, model, seed: seed)
    }

    private func checkFailures(of jobs: [JobRecord], _ model: MeshModel, seed: Int) {
        for record in jobs where record.job.state == .succeeded {
            let failures = model.plan(of: record.job).count { $0 == .failure }
            #expect(record.job.failures == failures, "seed \(seed), job \(record.job.id): failures")
        }
    }

    /// How a task must end when nobody cancels it and no deadline passes.
    private func expectation(of task: TaskRecord, _ model: MeshModel) -> (state: Run.State, output: [UInt8]?)? {
        guard let definition = model.definitions.first(where: { $0.hash == task.definition }),
            let count = (try? JSON(parsing: task.payload))?["n"]?.int
        else { return nil }
        func job(_ stage: Int, _ item: Int?) -> Job {
            ModelFinishing().job(
                from: JobSeed(item: item, input: []),
                stage: definition.stages[stage],
                index: stage,
                task: task,
                at: task.createdAt
            )
        }
        guard task.method != "chain" else {
            let jobs = [job(0, nil), job(1, nil)]
            let isGood = jobs.allSatisfy(model.succeeds)
            return (isGood ? .succeeded : .failed, isGood ? Array(model.result(of: jobs[1]).utf8) : nil)
        }
        let jobs = (0..<count).map { job(0, $0) }
        let good = jobs.filter(model.succeeds)
        guard task.method != "fan-all" else {
            let items = jobs.map { model.result(of: $0) }.joined(separator: ",")
            return good.count == count ? (.succeeded, Array("{\"items\":[\(items)]}".utf8)) : (.failed, nil)
        }
        // With a tolerant join, whose empty list may be judged either way, the output's errors vary in their words.
        return count == 0 ? nil : (good.isEmpty ? .failed : .succeeded, nil)
    }
}
