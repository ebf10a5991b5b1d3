// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import ServiceWorker
import Testing
import Workflow

@Suite(.timeLimit(.minutes(2))) struct ProviderChatTests {
    @Test func tokensArePartialOutputInOrderBeforeTheEnd() async throws {
        let gate = DispatchSemaphore(value: 0)
        let words = (1...200).map { "w\($0) " }
        let begin = ProviderFixture.event(["choices": [["delta": ["content": "start "]]]])
        let server = ProviderServer(
            ProviderServer.head(),
            .bytes(begin),
            .wait(gate),
            .bytes(ProviderFixture.events(words, usage: (11, 200)))
        )
        defer { server.stop() }
        let engine = try ProviderFixture.openai(
            [
                Provider(
                    name: "a",
                    url: "${U}",
                    key: "${K}",
                    model: "${M:-asked}",
                    promptPrice: 1_000_000,
                    completionPrice: 2_000_000
                )
            ],
            environment: ["U": server.url, "K": "top-secret"]
        )
        let told = ToldContext()
        let input: JSON = [
            "system": "Be short.", "user": "Hello", "max_tokens": 300, "response_format": ["type": "json_object"],
            "call_id": "beeline/1",
        ]
        async let outcome = engine.run(ProviderFixture.work(input), context: told)
        // The server sends no more before the first token has come through.
        try await told.first.value()
        #expect(told.text == "start ")
        gate.signal()
        let ended = await outcome
        let result = try #require(ended.output)
        #expect(result["content"]?.string == "start " + words.joined())
        #expect(told.text == "start " + words.joined())
        #expect(told.partials.count < 60, "the pieces are put together: \(told.partials.count)")
        #expect(result["model"] == "m-1")
        #expect(result["provider"] == "a")
        #expect(result["finish_reason"] == "stop")
        #expect(result["usage"]?["prompt_tokens"] == 11)
        #expect((result["duration_ms"]?.int ?? -1) >= 0)
        #expect(ended.attempts == ["a completed"])
        #expect(told.usages == [JobUsage(costUSD: 411, promptTokens: 11, completionTokens: 200)])
        let call = try #require(server.calls.first)
        #expect(call.path == "/v1/chat/completions")
        #expect(call.header("Authorization") == "Bearer top-secret")
        #expect(call.json["model"] == "asked")
        #expect(call.json["stream"] == true)
        #expect(call.json["stream_options"] == ["include_usage": true])
        #expect(call.json["max_tokens"] == 300)
        #expect(call.json["response_format"] == ["type": "json_object"])
        #expect(call.json["call_id"] == nil)
        #expect(
            call.json["messages"]
                == [["role": "system", "content": "Be short."], ["role": "user", "content": "Hello"]]
        )
    }

    @Test(arguments: ["\n", "\r\n", "\r"])
    func piecesMayBeCutAnywhere(_ newline: String) async throws {
        let events = ": hello\n\n" + ProviderFixture.events(["¿Qué ", "tal? 🙂", " fin"], usage: (1, 2))
        let text = events.replacingOccurrences(of: "\n", with: newline)
        let server = ProviderServer(ProviderServer.head(), .drops(text))
        defer { server.stop() }
        let engine = try ProviderFixture.openai([Provider(name: "a", url: server.url + "/v1/", model: "m")])
        let told = ToldContext()
        let outcome = await engine.run(ProviderFixture.work(["prompt": "?"]), context: told)
        #expect(outcome.output?["content"] == "¿Qué tal? 🙂 fin")
        #expect(told.text == "¿Qué tal? 🙂 fin")
        #expect(server.calls.first?.path == "/v1/chat/completions")
    }

    @Test func aWholeAnswerIsTakenWhetherAStreamWasAskedForOrNot() async throws {
        let server = ProviderServer(
            ProviderServer.whole(ProviderFixture.completion("yes", usage: ["prompt_tokens": 3]))
        )
        defer { server.stop() }
        let provider = Provider(name: "a", url: server.url + "/v1/chat/completions")
        let asked = try ProviderFixture.openai([provider], options: ["defaults": ["temperature": 0, "max_tokens": 9]])
        let input: JSON = ["messages": [["role": "user", "content": "?"]], "model": "named", "max_tokens": 5]
        let told = ToldContext()
        let outcome = await asked.run(ProviderFixture.work(input), context: told)
        #expect(outcome.output?["content"] == "yes")
        #expect(told.text == "yes")
        #expect(told.usages == [JobUsage(promptTokens: 3)])
        let plain = try ProviderFixture.openai([provider], options: ["stream": "${S}"], environment: ["S": "false"])
        let silent = ToldContext()
        #expect(await plain.run(ProviderFixture.work(input), context: silent).output?["content"] == "yes")
        #expect(silent.partials.isEmpty)
        let bodies = server.calls.map(\.json)
        #expect(bodies.map { $0["stream"] } == [true, false])
        #expect(bodies.map { $0["temperature"] } == [0, nil])
        #expect(bodies.map { $0["max_tokens"] } == [5, 5])
        #expect(bodies.map { $0["model"] } == ["named", "named"])
        #expect(server.calls.allSatisfy { $0.path == "/v1/chat/completions" && $0.header("Authorization") == nil })
    }

    @Test func toolCallsArePutTogether() async throws {
        func piece(_ call: JSON) -> String {
            ProviderFixture.event(["choices": [["index": 0, "delta": ["tool_calls": [call]]]]])
        }
        let text =
            piece(["index": 0, "id": "c1", "function": ["name": "look", "arguments": ""]])
            + piece(["index": 0, "function": ["arguments": "{\"a\":"]])
            + piece(["index": 0, "function": ["arguments": "1}"]])
            + piece(["index": 9, "function": ["arguments": "stray"]])
            + ProviderFixture.event(["choices": [["index": 0, "delta": [:], "finish_reason": "tool_calls"]]])
        let server = ProviderServer(ProviderServer.head(), .bytes(text))
        defer { server.stop() }
        let engine = try ProviderFixture.openai([Provider(name: "a", url: server.url, model: "m")])
        let result = await engine.run(ProviderFixture.work(["user": "?"]), context: ToldContext()).output
        #expect(
            result?["tool_calls"]
                == [["id": "c1", "type": "function", "function": ["name": "look", "arguments": "{\"a\":1}"]]]
        )
        #expect(result?["finish_reason"] == "tool_calls")
    }

    @Test func cancellingStopsTheTransferAtOnce() async throws {
        let begin = ProviderFixture.event(["choices": [["delta": ["content": "and "]]]])
        let server = ProviderServer(ProviderServer.head(), .bytes(begin), .hang)
        defer { server.stop() }
        let engine = try ProviderFixture.openai([
            Provider(name: "a", url: server.url, model: "m"), Provider(name: "b", url: server.url, model: "m"),
        ])
        let told = ToldContext()
        let task = Task { await engine.run(ProviderFixture.work(["user": "?"]), context: told) }
        try await told.first.value()
        let clock = ContinuousClock.now
        task.cancel()
        #expect(await task.value == .stopped)
        #expect(ContinuousClock.now - clock < .seconds(1))
        var left = server.left.makeAsyncIterator()
        #expect(await left.next() == 0)
        #expect(server.calls.count == 1, "the next provider is not asked")
        #expect(engine.trouble.isEmpty)
    }

    @Test(
        arguments: [
            ([:], "/messages"), (["messages": []], "/messages"), (["messages": [["content": "?"]]], "/messages"),
            (["messages": "?"], "/messages"), (["user": 1], "/user"), (["system": "only"], "/messages"),
            (["user": "?", "max_tokens": 0], "/max_tokens"), (["user": "?", "max_tokens": "9"], "/max_tokens"),
            ([], "/messages"),
        ] as [(JSON, String)]
    )
    func refusesInputs(_ input: JSON, _ field: String) async throws {
        let server = ProviderServer(.hang)
        defer { server.stop() }
        let engine = try ProviderFixture.openai([Provider(name: "a", url: server.url, model: "m")])
        let error = await engine.run(ProviderFixture.work(input), context: ToldContext()).error
        #expect(error?.category == .invalidInput)
        #expect(error?.isFinal == true)
        #expect(error?.field == field)
        #expect(server.calls.isEmpty)
    }

    @Test func withoutAProviderItSaysWhatToSet() async throws {
        let engine = try ProviderFixture.openai([Provider(name: "llm", url: "${LLM_BASE_URL}", model: "m")])
        let error = await engine.run(ProviderFixture.work(["user": "?"]), context: ToldContext()).error
        #expect(error?.category == .provider)
        #expect(error?.isFinal == true)
        #expect(error?.message.contains("set LLM_BASE_URL") == true)
        #expect(engine.trouble.map(\.message) == [error?.message])
    }

    @Test func aWrongProviderIsFoundWhenTheEngineIsMade() throws {
        let wrong: [(Provider, JSON)] = [
            (Provider(name: "a", url: "localhost:8000"), [:]),
            (Provider(name: "a", url: "http://x", timeout: "${T:-soon}"), [:]),
            (Provider(name: "a", url: "http://x"), ["max_answer": "${A:-much}"]),
        ]
        for (provider, options) in wrong {
            #expect(throws: JobError.self) { try ProviderFixture.openai([provider], options: options) }
        }
    }
}
