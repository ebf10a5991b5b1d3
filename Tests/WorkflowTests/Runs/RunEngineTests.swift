// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Plumbing
import Testing

@testable import Workflow

@Suite struct RunEngineTests {
    private static func fanOut(_ join: StageDefinition.Join) -> WorkflowDefinition {
        .make(
            [
                StageDefinition(
                    name: "each",
                    service: "s",
                    input: .make(["v": ["$ref": "item#"]]),
                    forEach: .range(.make(["$ref": "request#/n"])),
                    join: join
                )
            ],
            output: ["all": ["$ref": "each#"], "errors": ["$ref": "each!errors#"]]
        )
    }

    private func run(
        _ definition: WorkflowDefinition,
        _ payload: JSON,
        seed: UInt64 = 1,
        handler: @escaping EngineHarness.Handler
    ) -> EngineHarness {
        var generator = SeededGenerator(seed: seed)
        var harness = EngineHarness(definition, payload: payload, handler: handler)
        harness.finishAll(using: &generator)
        return harness
    }

    @Test(arguments: [0, 1, 10_000]) func fanOutEndsForEverySize(_ count: Int) throws {
        let harness = run(Self.fanOut(.all), ["n": .number(JSONNumber(count))]) { _, _, input in
            .success(input["v"] ?? .null)
        }
        guard case .succeeded(let bytes)? = harness.results.first else {
            Issue.record("ended as \(harness.results)")
            return
        }
        let output = try JSON(parsing: bytes)
        #expect(output["all"]?.array?.count == count)
        #expect(output["all"]?.array?.enumerated().allSatisfy { $1.int == $0 } == true)
        #expect(harness.results.count == 1 && harness.createdJobs == count)
    }

    @Test func oneFailureFailsJoinAll() {
        let harness = run(Self.fanOut(.all), ["n": 5]) { _, item, input in
            item == 3 ? .failure(JobError(.handler, "no")) : .success(input)
        }
        #expect(harness.results == [.failed(JobError(.handler, "no"), stage: "each")])
        #expect(harness.run.state == .failed)
    }

    @Test func joinAnyTakesTheFirstSuccess() throws {
        for seed in UInt64(1)...20 {
            let harness = run(Self.fanOut(.any), ["n": 6], seed: seed) { _, item, input in
                item == 4 ? .success(input) : .failure(JobError(.handler, "no"))
            }
            guard case .succeeded(let bytes)? = harness.results.first else {
                Issue.record("ended as \(harness.results)")
                return
            }
            #expect(try JSON(parsing: bytes)["all"]?.array?[4] == ["v": 4])
        }
    }

    @Test func joinAtLeastKeepsErrorsPerItem() throws {
        let harness = run(Self.fanOut(.atLeast(2)), ["n": 4]) { _, item, input in
            item == 1 ? .failure(JobError(.handler, "bad item")) : .success(input)
        }
        guard case .succeeded(let bytes)? = harness.results.first else {
            Issue.record("ended as \(harness.results)")
            return
        }
        let output = try JSON(parsing: bytes)
        #expect(output["all"]?.array?[1] == .null)
        #expect(output["errors"] == [["index": 1, "category": "handler", "message": "bad item"]])
    }

    @Test func joinsThatCanNotBeMetFailWithZeroItems() {
        for join in [StageDefinition.Join.any, .atLeast(1)] {
            let harness = run(Self.fanOut(join), ["n": 0]) { _, _, input in .success(input) }
            #expect(harness.run.state == .failed)
        }
    }

    @Test func aBranchThatDoesNotHoldIsSkippedAndItsOutputIsNull() throws {
        let definition = WorkflowDefinition.make(
            [
                StageDefinition(
                    name: "maybe",
                    service: "s",
                    input: .make([:]),
                    when: Condition(reference: try Reference(parsing: "request#/go"), test: .truthy)
                ),
                StageDefinition(
                    name: "then",
                    service: "s",
                    input: .make(["before": ["$ref": "maybe#"]]),
                    dependencies: [0]
                ),
            ],
            output: ["$ref": "then#"]
        )
        for (go, before) in [(JSON.bool(false), JSON.null), (true, "ran")] {
            let harness = run(definition, ["go": go]) { stage, _, input in
                .success(stage == 0 ? "ran" : input["before"] ?? .null)
            }
            #expect(harness.results == [.succeeded(before.bytes)])
        }
    }

    @Test func aReferenceThatFindsNothingFailsTheRunAndNamesIt() {
        let definition = WorkflowDefinition.make(
            [StageDefinition(name: "one", service: "s", input: .make(["x": ["$ref": "request#/missing"]]))],
            output: .null
        )
        let harness = run(definition, [:]) { _, _, input in .success(input) }
        guard case .failed(let error, "one")? = harness.results.first else {
            Issue.record("ended as \(harness.results)")
            return
        }
        #expect(error.category == .invalidInput && error.message.contains("one"))
    }

    @Test func cancellingAndTheDeadlineEndARunOnce() {
        for (event, state) in [(RunEvent.cancelled, Run.State.cancelled), (.deadlinePassed, .timedOut)] {
            var harness = EngineHarness(Self.fanOut(.all), payload: ["n": 3]) { _, _, input in .success(input) }
            harness.advance([event])
            harness.advance([.jobSucceeded(stage: 0, item: 1), event])
            #expect(harness.run.state == state)
            #expect(harness.results.count == 1)
            #expect(harness.run.stages[0].status == .cancelled)
        }
    }

    @Test func aRunSurvivesItsEncoding() throws {
        var harness = EngineHarness(Self.fanOut(.atLeast(2)), payload: ["n": 5]) { _, _, input in .success(input) }
        harness.advance([.jobSucceeded(stage: 0, item: 1), .jobFailed(stage: 0, item: 2, JobError(.handler, "x"))])
        #expect(try Run(encoded: harness.run.encoded) == harness.run)
        #expect(throws: EnvelopeError.self) { try Run(encoded: [1, 0, 5]) }
        #expect(throws: EnvelopeError.self) { try Run(encoded: []) }
    }
}
