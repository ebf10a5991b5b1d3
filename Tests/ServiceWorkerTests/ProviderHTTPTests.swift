// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import ServiceWorker
import Testing
import Workflow

@Suite(.timeLimit(.minutes(2))) struct ProviderHTTPTests {
    private func engine(
        _ providers: [Provider],
        options: JSON = [:],
        environment: [String: String] = [:]
    ) throws -> HTTPEngine {
        try HTTPEngine(
            ProviderFixture.service("post"),
            providers: providers,
            options: options,
            environment: environment,
            http: ProviderFixture.http
        )
    }

    @Test func postsTheInputAndReturnsTheAnswer() async throws {
        let server = ProviderServer(
            ProviderServer.whole(
                201,
                "{\"n\": 1.50, \"usage\": {\"prompt_tokens\": 2000000, \"gpu_ms\": 7}}",
                type: nil
            )
        )
        defer { server.stop() }
        let engine = try engine(
            [Provider(name: "a", url: server.url + "/do/it?x=1", key: "${K}", promptPrice: 0.25)],
            options: ["headers": ["X-Account": "${ACCOUNT:-none}"]],
            environment: ["K": "key", "ACCOUNT": "42"]
        )
        let told = ToldContext()
        let work = ProviderFixture.work(["text": "¿qué?"])
        let outcome = await engine.run(work, context: told)
        #expect(outcome.output?["n"] == 1.5)
        #expect(told.usages == [JobUsage(gpuMilliseconds: 7, costUSD: 0.5, promptTokens: 2_000_000)])
        let call = try #require(server.calls.first)
        #expect(call.method == "POST")
        #expect(call.path + "?" + call.query == "/do/it?x=1")
        #expect(call.json == ["text": "¿qué?"])
        #expect(call.header("Authorization") == "Bearer key")
        #expect(call.header("X-Account") == "42")
        #expect(call.header("Content-Type") == "application/json")
        #expect(call.header("Idempotency-Key") == "\(work.job.id)")
    }

    static let wrongs: [ProviderFallbackTests.Wrong] = [
        .init("500", "500", ProviderServer.whole(500, "{}")),
        .init("HTML", "not JSON", ProviderServer.whole("<html>", type: "text/html")),
        .init("silence", "Timeout", .hang),
        .init("too much", "more than", ProviderServer.whole("[" + String(repeating: "1,", count: 5000) + "1]")),
        .init("too deep", "not JSON", ProviderServer.whole(String(repeating: "[", count: 900))),
    ]

    @Test(arguments: wrongs)
    func theNextOneIsAsked(_ wrong: ProviderFallbackTests.Wrong) async throws {
        let word = wrong.word
        let bad = ProviderServer { _ in wrong.steps }
        let good = ProviderServer(ProviderServer.whole("[1]"))
        defer {
            bad.stop()
            good.stop()
        }
        let engine = try engine(
            [Provider(name: "bad", url: bad.url, timeout: "500ms"), Provider(name: "good", url: good.url)],
            options: ["max_answer": "8KiB"]
        )
        let told = ToldContext()
        #expect(await engine.run(ProviderFixture.work(["a": 1]), context: told).output == [1])
        #expect(told.logs.count == 1)
        #expect(told.logs.first?.contains(word) == true, "\(told.logs)")
    }

    @Test func saysHowItEnds() async throws {
        let bad = ProviderServer(ProviderServer.whole(422, "{\"detail\":[{\"msg\":\"field required\"}]}"))
        let empty = ProviderServer(ProviderServer.whole(204, "", type: nil))
        defer {
            bad.stop()
            empty.stop()
        }
        let refusing = try engine([Provider(name: "a", url: bad.url), Provider(name: "b", url: empty.url)])
        let error = await refusing.run(ProviderFixture.work([:]), context: ToldContext()).error
        #expect(error == JobError(.invalidInput, "a: it answered 422: field required"))
        #expect(empty.calls.isEmpty)
        let silent = try engine([Provider(name: "b", url: empty.url)])
        #expect(await silent.run(ProviderFixture.work([:]), context: ToldContext()).output == .null)
        let unset = try engine([Provider(name: "b", url: "${ONE}"), Provider(name: "c", url: "${TWO}")])
        let words = await unset.run(ProviderFixture.work([:]), context: ToldContext()).error?.message
        #expect(words?.contains("set ONE or TWO") == true)
    }

    @Test func cancellingStopsTheTransfer() async throws {
        let server = ProviderServer(.hang)
        defer { server.stop() }
        let engine = try engine([Provider(name: "a", url: server.url)])
        let task = Task { await engine.run(ProviderFixture.work([:]), context: ToldContext()) }
        for _ in 0..<2000 where server.calls.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        task.cancel()
        #expect(await task.value == .stopped)
        var left = server.left.makeAsyncIterator()
        #expect(await left.next() == 0)
    }
}
