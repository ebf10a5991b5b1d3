// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Plumbing
import Testing

@testable import Workflow

/// What travels and is stored as JSON: labels, usage, cancellations.
@Suite struct JobCodingTests {
    private static func text(_ generator: inout SeededGenerator) -> String? {
        ["", "a", "ünï\u{0}", "\"quoted\"\\", "line\nbreak", nil].randomElement(using: &generator) ?? nil
    }

    @Test func labelsSurviveTheirJSON() throws {
        for seed in 0..<300 {
            var generator = SeededGenerator(seed: UInt64(seed))
            var labels = JobLabels()
            labels.ownerService = Self.text(&generator)
            labels.ownerRef = Self.text(&generator)
            labels.taskType = Self.text(&generator)
            labels.modelProfile = Self.text(&generator)
            labels.user = Self.text(&generator)
            labels.dedupKey = Self.text(&generator)
            labels.webhook = Self.text(&generator)
            labels.priority = Int.random(in: JobLabels.priorities, using: &generator)
            if Bool.random(using: &generator) {
                labels.timeToLive = .milliseconds(Int.random(in: 0...900_000_000, using: &generator))
                labels.storage = ["bucket": "b", "secret": ["x": nil, "y": [1.5, false]]]
                labels.envelope = [.contract, .grace].randomElement(using: &generator)
            }
            let read = JobLabels(json: try JSON(parsing: labels.json.bytes))
            #expect(read == labels, "seed \(seed)")
        }
        #expect(JobLabels(json: [:]) == JobLabels() && JobLabels().json == [:])
    }

    @Test func labelsPassOverWhatTheyDoNotUnderstand() throws {
        for text in [
            "{\"owner_service\":7,\"priority\":\"high\",\"ttl_ms\":{},\"envelope\":\"other\",\"new\":1}", "[]",
            "null", "3",
        ] {
            #expect(JobLabels(json: try JSON(parsing: Array(text.utf8))) == JobLabels(), "\(text)")
        }
    }

    @Test func usageSurvivesItsJSON() throws {
        for seed in 0..<300 {
            var generator = SeededGenerator(seed: UInt64(seed))
            func number() -> Int? {
                Bool.random(using: &generator) ? Int.random(in: 0...9_000_000_000_000, using: &generator) : nil
            }
            let cost = [nil, 0, 0.1, 1e-9, 12.345].randomElement(using: &generator) ?? nil
            let usage = JobUsage(
                gpuMilliseconds: number(),
                costUSD: cost,
                promptTokens: number(),
                completionTokens: number()
            )
            #expect(JobUsage(json: try JSON(parsing: usage.json.bytes)) == usage, "seed \(seed)")
        }
        #expect(JobUsage(json: ["gpu_ms": "7", "cost_usd": true, "prompt_tokens": 1.5]).isEmpty)
        #expect(JobUsage(json: [1]).isEmpty && JobUsage().json == [:])
    }

    @Test func aCancellationSurvivesTheWire() throws {
        let cancellation = JobCancellation(job: MeshID())
        #expect(JobCancellation(body: cancellation.body) == cancellation)
        #expect(throws: EnvelopeError.self) { try Completion(body: cancellation.body) }
    }

    @Test func nothingElseIsACancellation() {
        let id = MeshID()
        let completion = Completion(job: id, lease: id, failure: nil, result: [], runMilliseconds: 1)
        #expect(JobCancellation(body: completion.body) == nil)
        let head = "{\"cancel\":\"\(id)\"}"
        for text in [
            "", "\n", "{}\n", "{\"cancel\":7}\n", "{\"cancel\":\"x\"}\n", head, "[1]\n", "{\"cancel\"\n",
            head + "\n" + String(repeating: " ", count: 300),
        ] {
            #expect(JobCancellation(body: Array(text.utf8)) == nil, "\(text)")
        }
    }
}
