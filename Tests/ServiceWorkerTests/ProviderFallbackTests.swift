// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import ServiceWorker
import Testing
import Workflow

@Suite(.timeLimit(.minutes(2))) struct ProviderFallbackTests {
    /// A way in which an upstream goes wrong, and a word of what is recorded of it.
    struct Wrong: Sendable, CustomTestStringConvertible {
        var name: String
        var steps: [ProviderServer.Step]
        var word: String
        var testDescription: String { name }

        init(_ name: String, _ word: String, _ steps: ProviderServer.Step...) {
            (self.name, self.word, self.steps) = (name, word, steps)
        }
    }

    static let error = "{\"error\":{\"message\":\"the model is on fire\"}}"
    static let delta = ProviderFixture.event(["choices": [["delta": ["content": "x"]]]])

    static let wrongs: [Wrong] = [
        Wrong("hangs up", "127.0.0.1"),
        Wrong("never answers", "longer than", .hang),
        Wrong("stops in its head", "longer than", .bytes("HTTP/1.1 200 OK\r\n"), .hang),
        Wrong("stops in its stream", "longer than", ProviderServer.head(), .bytes(delta), .hang),
        Wrong("408", "408", ProviderServer.whole(408, "")), Wrong("409", "409", ProviderServer.whole(409, "{}")),
        Wrong("429", "on fire", ProviderServer.whole(429, error)),
        Wrong("500", "500: the model is on fire", ProviderServer.whole(500, error)),
        Wrong("503 in words", "503: gone away", ProviderServer.whole(503, "gone\naway", type: "text/plain")),
        Wrong("502 in HTML", "502", ProviderServer.whole(502, "<html>", type: "text/html")),
        Wrong("401", "401: bad key ***", ProviderServer.whole(401, "{\"error\":\"bad key top-secret\"}")),
        Wrong("404", "404: no such model", ProviderServer.whole(404, "{\"detail\":\"no such model\"}")),
        Wrong("redirects", "302", .bytes("HTTP/1.1 302 X\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")),
        Wrong("200 in HTML", "text/html", ProviderServer.whole("<html>", type: "text/html")),
        Wrong("200 that is no JSON", "not JSON", ProviderServer.whole("{\"choices\":")),
        Wrong("200 that is a list", "no object", ProviderServer.whole("[]")),
        Wrong("200 with an error", "on fire", ProviderServer.whole(error)),
        Wrong("200 without choices", "no choices", ProviderServer.whole("{\"choices\":[]}")),
        Wrong("200 without a message", "no message", ProviderServer.whole("{\"choices\":[{}]}")),
        Wrong("a number for content", "no text", ProviderServer.whole("{\"choices\":[{\"message\":{\"content\":1}}]}")),
        Wrong("a length that lies", "127.0.0.1", .bytes("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}")),
        Wrong("an empty stream", "broke off", ProviderServer.head()),
        Wrong("a stream of nothing", "no choices", ProviderServer.head(), .bytes("data: [DONE]\n\n")),
        Wrong("a stream that breaks off", "broke off", ProviderServer.head(), .bytes(delta)),
        Wrong("a stream of rubbish", "not JSON", ProviderServer.head(), .bytes("data: {]\n\n")),
        Wrong("an error in its stream", "on fire", ProviderServer.head(), .bytes(delta + "data: \(error)\n\n")),
        Wrong("an endless stream", "more than", ProviderServer.head(), .endless(delta)),
        Wrong("an endless comment", "more than", ProviderServer.head(), .endless(": wait\n\n")),
        Wrong("an endless event", "more than", ProviderServer.head(), .endless("data: xxxxxxxxxxxxxxxx")),
        Wrong("an endless answer", "more than", ProviderServer.head("application/json"), .endless("[1,")),
    ]

    @Test(arguments: wrongs)
    func theNextOneIsAsked(_ wrong: Wrong) async throws {
        let bad = ProviderServer { _ in wrong.steps }
        let good = ProviderServer(ProviderServer.head(), .bytes(ProviderFixture.events(["go", "od"])))
        defer {
            bad.stop()
            good.stop()
        }
        let engine = try ProviderFixture.openai(
            [
                Provider(name: "unset", url: "${NONE}", model: "m"),
                Provider(name: "bad", url: bad.url, key: "top-secret", model: "m", timeout: "700ms"),
                Provider(name: "good", url: good.url, model: "n"),
                Provider(name: "never", url: good.url, model: "n"),
            ],
            options: ["max_answer": "100KiB"]
        )
        let told = ToldContext()
        let outcome = await engine.run(ProviderFixture.work(["user": "?"]), context: told)
        #expect(outcome.output?["content"] == "good", "\(outcome)")
        #expect(outcome.output?["provider"] == "good")
        #expect(outcome.attempts == ["bad failed", "good completed"])
        let words = outcome.output?["attempts"]?.array?.first?["error"]?.string ?? ""
        #expect(words.contains(wrong.word), "\(words)")
        #expect(!words.contains("top-secret"))
        #expect(told.logs.count == 1)
        #expect(good.calls.count == 1)
        #expect(engine.trouble.isEmpty)
    }

    @Test func nobodyListens() async throws {
        let gone = ProviderServer(.hang)
        gone.stop()
        let good = ProviderServer(ProviderServer.whole(ProviderFixture.completion("good")))
        defer { good.stop() }
        let engine = try ProviderFixture.openai([
            Provider(name: "gone", url: gone.url, model: "m", timeout: "5s"),
            Provider(name: "good", url: good.url, model: "m"),
        ])
        let outcome = await engine.run(ProviderFixture.work(["user": "?"]), context: ToldContext())
        #expect(outcome.attempts == ["gone failed", "good completed"])
    }

    @Test(arguments: [400, 413, 415, 422])
    func whatIsWrongWithTheInputIsFinal(_ status: Int) async throws {
        let body = "{\"error\":{\"message\":\"too many tokens\"}}"
        let bad = ProviderServer(ProviderServer.whole(status, body))
        let good = ProviderServer(ProviderServer.whole(ProviderFixture.completion("good")))
        defer {
            bad.stop()
            good.stop()
        }
        let engine = try ProviderFixture.openai([
            Provider(name: "bad", url: bad.url, model: "m"), Provider(name: "good", url: good.url, model: "m"),
        ])
        let error = await engine.run(ProviderFixture.work(["user": "?"]), context: ToldContext()).error
        #expect(error == JobError(.invalidInput, "bad: it answered \(status): too many tokens"))
        #expect(good.calls.isEmpty)
        #expect(engine.trouble.isEmpty, "the provider is not to blame")
    }

    @Test(arguments: [(401, true), (403, true), (404, true), (429, false), (500, false)])
    func whenAllFailTheJobIsTriedAgainOnlyIfThatMayHelp(_ status: Int, _ isFinal: Bool) async throws {
        let server = ProviderServer(ProviderServer.whole(status, "{\"error\":\"no\"}"))
        defer { server.stop() }
        let engine = try ProviderFixture.openai([
            Provider(name: "a", url: server.url, model: "m"), Provider(name: "b", url: server.url, model: "m"),
        ])
        let error = await engine.run(ProviderFixture.work(["user": "?"]), context: ToldContext()).error
        let words = "it answered \(status): no"
        #expect(error == JobError(.provider, "a: \(words); b: \(words)", isFinal: isFinal))
        #expect(engine.trouble.map(\.message) == [error?.message])
    }

    @Test func whatABrokenStreamToldIsMarkedAsOver() async throws {
        let bad = ProviderServer(ProviderServer.head(), .bytes(Self.delta))
        let good = ProviderServer(ProviderServer.head(), .bytes(ProviderFixture.events(["new"])))
        defer {
            bad.stop()
            good.stop()
        }
        let engine = try ProviderFixture.openai([
            Provider(name: "bad", url: bad.url, model: "m"), Provider(name: "good", url: good.url, model: "m"),
        ])
        let told = ToldContext()
        _ = await engine.run(ProviderFixture.work(["user": "?"]), context: told)
        #expect(told.partials == [["content": "x"], ["content": "new", "restart": true]])
    }
}
