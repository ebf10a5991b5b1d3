// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Hummingbird
import Ledger
import LedgerSQLite
import MediaStore
import Plumbing
import Testing

@testable import AppAPI
@testable import Workflow

@Suite(.timeLimit(.minutes(1))) struct OrchestrationTests {
    private static let text = String(repeating: "x", count: 300_000)
    private static let large: JSON = ["list": [7, 8], "text": .string(text)]

    // MARK: Inputs

    @Test func aLaterStagesInputIsCheckedAndItsWrongFieldNamed() async throws {
        let fixture = try await OrchestrationFixture()
        try await fixture.serve { client in
            let task = try await client.play().task
            try await fixture.publish(try await fixture.claim("alpha"), ["list": [1, "two"], "text": ""])
            let ended = try await fixture.ended(task)
            #expect(ended.state == .failed && ended.error?.category == .invalidInput)
            #expect(ended.error?.message.contains("stage 'second'") == true)
            #expect(ended.error?.message.contains("beta takes: /n: ") == true, "\(ended.error?.message ?? "")")
        }
    }

    @Test func aFirstStagesInputIsCheckedToo() async throws {
        let fixture = try await OrchestrationFixture()
        try await fixture.serve { client in
            let ended = try await fixture.ended(try await client.play(["list": 5]).task)
            #expect(ended.error?.message.contains("alpha takes: /list: ") == true, "\(ended.error?.message ?? "")")
        }
    }

    // MARK: Large results

    @Test func aLargeResultIsSeenLikeAnyOther() async throws {
        let fixture = try await OrchestrationFixture()
        try await fixture.serve { client in
            let task = try await client.play().task
            try await fixture.publish(try await fixture.claim("alpha"), stored: try await fixture.store(Self.large))
            try await fixture.handOver(of: "beta")
            for _ in 0..<2 {
                let job = try await fixture.claim("beta")
                let input = try #require(try await fixture.ledger.job(job.id)).input
                try await fixture.publish(job, try JSON(parsing: input)["n"] ?? .null)
            }
            let ended = try await fixture.ended(task)
            #expect(ended.state == .succeeded)
            let answer = try await client.send(.get, "/result/\(task)").json
            #expect(answer["response"]?["data"] == ["text": .string(Self.text), "all": [7, 8]])
        }
    }

    @Test func aLargeResultThatIsGoneFailsItsJobWithAClearError() async throws {
        let fixture = try await OrchestrationFixture()
        try await fixture.serve { client in
            for stored in [
                Completion.StoredResult(reference: "s3://media/derived/none/result.json", size: 300_000),
                .init(reference: "nonsense", size: 1),
                .init(reference: try await fixture.store(Self.large).reference, size: 300_001),
                .init(reference: try await fixture.store(Self.large).reference, size: Completion.maxResultSize + 1),
            ] {
                let task = try await client.play().task
                try await fixture.publish(try await fixture.claim("alpha"), stored: stored)
                let ended = try await fixture.ended(task)
                #expect(ended.state == .failed && ended.failedStage == "first")
                #expect(ended.error?.category == .internal)
                #expect(ended.error?.message.contains("can't be fetched from the media store") == true)
            }
        }
    }

    @Test func aMediaStoreThatStandsStillDelaysNothingElse() async throws {
        // More large completions than the prefetch: they must not keep the small one out.
        let fixture = try await OrchestrationFixture { $0.completionsPrefetch = 8 }
        fixture.media.become(.stuck)
        try await fixture.serve { client in
            let slow = try await client.play().task
            try await fixture.publish(
                try await fixture.claim("alpha"),
                stored: try await fixture.store(Self.large),
                copies: 30
            )
            _ = await fixture.media.reads.first { _ in true }
            let quick = try await client.play().task
            try await fixture.publish(try await fixture.claim("alpha"), ["list": [], "text": "small"])
            #expect(try await fixture.ended(quick).state == .succeeded)
            #expect(try await fixture.view(slow).run.stages[0].succeeded == 0)
            fixture.media.become(.well)
            try await fixture.handOver(of: "beta")
            let view = try await fixture.view(slow)
            #expect(view.run.stages[0].succeeded == 1 && view.run.stages[1].total == 2)
        }
    }

    @Test func aLargeResultIsSettledWhenItComesAgainAfterTheMediaStoreWasAway() async throws {
        let fixture = try await OrchestrationFixture()
        fixture.media.become(.away)
        try await fixture.serve { client in
            let task = try await client.play().task
            let job = try await fixture.claim("alpha")
            let stored = try await fixture.store(Self.large)
            try await fixture.publish(job, stored: stored)
            _ = await fixture.media.reads.first { _ in true }
            fixture.media.become(.well)
            #expect(try await fixture.ledger.job(job.id)?.job.state == .running)
            // As its worker does while no beat tells it that the ledger has it.
            try await fixture.publish(job, stored: stored)
            try await fixture.handOver(of: "beta")
            let view = try await fixture.view(task)
            #expect(view.run.stages[1].total == 2)
        }
    }

    // MARK: Small parts

    @Test func noAppMayHaveTheNameOfARoute() async throws {
        let fixture = try await OrchestrationFixture()
        let firsts = fixture.api.router().routes.compactMap { "\($0.path)".split(separator: "/").first.map { "\($0)" } }
        let fixed = Set(firsts).filter { !$0.hasPrefix("{") && !$0.hasPrefix(":") }
        #expect(fixed.contains("call") && fixed.contains("healthz"))
        #expect(fixed.subtracting(AppReader.reservedNames) == [])
    }

    @Test func timersAreNamedInSeconds() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources")
        let files = try #require(FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil))
        var labels: [String] = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            labels += text.matches(of: /Timer\(\s*label: "([a-z_]+)"/).map { String($0.output.1) }
        }
        #expect(labels.contains("malla_task_duration_seconds"))
        #expect(labels.filter { !$0.hasSuffix("_seconds") } == [])
    }
}
