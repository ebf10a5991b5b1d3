// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import ServiceWorker
import Testing
import Workflow

@Suite(.timeLimit(.minutes(2))) struct ProviderSpeechFaultTests {
    /// A way in which a server goes wrong, and a word of what is recorded of it.
    struct Wrong: Sendable, CustomTestStringConvertible {
        var kind: String
        var steps: [ProviderServer.Step]
        var word: String
        var testDescription: String { "\(kind): \(word)" }

        init(_ kind: String, _ word: String, _ steps: ProviderServer.Step...) {
            (self.kind, self.word, self.steps) = (kind, word, steps)
        }
    }

    static func answers(_ text: String) -> ProviderServer.Step { ProviderServer.whole(text) }

    static let wrongs: [Wrong] = [
        Wrong("whisperx", "127.0.0.1"), Wrong("whisperx", "longer than", .hang),
        Wrong("whisperx", "none of /asr", ProviderSpeech.notFound),
        Wrong("whisperx", "500: out of memory", ProviderServer.whole(500, "{\"detail\":\"out of memory\"}")),
        Wrong("whisperx-asr", "422", ProviderServer.whole(422, "{}")),
        Wrong("whisperx-asr", "not JSON", ProviderServer.whole("1\n00:00:00", type: "text/plain")),
        Wrong("whisperx-asr", "not JSON", ProviderServer.whole("<html>", type: "text/html")),
        Wrong("whisperx-asr", "no list", answers("{\"segments\":1}")),
        Wrong("whisperx-asr", "no list", answers("{\"segments\":[{\"start\":1}]}")),
        Wrong("whisperx-asr", "neither segments nor text: no GPU", answers("{\"error\":\"no GPU\"}")),
        Wrong("whisperx-asr", "more than", ProviderServer.head("text/plain"), .endless("[1,")),
        Wrong("whisperx-task", "names no task", answers("{\"message\":\"queued\"}")),
        Wrong("openai-audio", "neither", answers("{}")),
        Wrong("audio-llm", "no text", answers(ProviderFixture.completion(" "))),
        Wrong("audio-llm", "no choices", answers("{}")),
        Wrong("audio-llm", "429", ProviderServer.whole(429, "")),
    ]

    private func run(
        _ providers: [Provider],
        options: JSON = ["max_answer": "64KiB"],
        _ input: JSON = ProviderSpeech.input()
    ) async throws -> HandlerOutcome {
        let engine = try ProviderSpeech.engine(providers, options: options)
        return await engine.run(ProviderFixture.work(input), context: ToldContext())
    }

    @Test(arguments: wrongs)
    func theNextOneGivesTheSegments(_ wrong: Wrong) async throws {
        let bad = ProviderServer { _ in wrong.steps }
        let good = ProviderSpeech.asr()
        defer {
            bad.stop()
            good.stop()
        }
        let outcome = try await run([
            Provider(name: "bad", kind: wrong.kind, url: bad.url, model: "m", timeout: "700ms"),
            Provider(name: "good", kind: "whisperx", url: good.url),
        ])
        #expect(outcome.output?["segments"] == ProviderSpeech.segments, "\(outcome)")
        #expect(outcome.output?["provider"] == "good")
        #expect(outcome.attempts == ["bad failed", "good completed"])
        let attempt = outcome.output?["attempts"]?.array?.first
        let words = attempt?["error"]?.string ?? ""
        #expect(words.contains(wrong.word), "\(words)")
        #expect(attempt?["text"] == .null)
        #expect(attempt?["segments"] == [])
    }

    @Test(arguments: [
        ("{\"status\":\"failed\",\"error\":\"CUDA is gone\"}", "the task failed: CUDA is gone"), ("{}", "no status"),
        ("{\"status\":\"completed\",\"result\":{}}", "neither segments nor text"), ("<", "not JSON"),
    ])
    func aTaskMayFail(_ answer: String, _ word: String) async throws {
        let server = ProviderSpeech.task([ProviderSpeech.pending, ProviderServer.whole(answer)])
        defer { server.stop() }
        let error = try await run([Provider(name: "w", kind: "whisperx", url: server.url)]).error
        #expect(error?.category == .provider)
        #expect(error?.message.contains(word) == true, "\(String(describing: error))")
        #expect(!server.calls.contains { $0.path.hasPrefix("/v1") }, "its family is known by then")
    }

    @Test func aTaskOutlivesAFewFailedQuestions() async throws {
        let broken = ProviderServer.whole(503, "")
        let server = ProviderSpeech.task([broken, ProviderSpeech.pending, broken, broken, ProviderSpeech.completed])
        defer { server.stop() }
        let outcome = try await run([Provider(name: "w", kind: "whisperx-task", url: server.url)])
        #expect(outcome.output?["segments"] == ProviderSpeech.segments)
    }

    @Test func theOrderIsThatOfTheVariableAndUnsetOnesAreSkipped() async throws {
        let one = ProviderSpeech.asr()
        let two = ProviderSpeech.model("Otro texto.")
        defer {
            one.stop()
            two.stop()
        }
        let providers = [
            Provider(name: "whisperx", kind: "whisperx", url: "${W}"),
            Provider(name: "qwen2-audio", kind: "audio-llm", url: "${Q}", model: "q"),
            Provider(name: "voxtral-small", kind: "audio-llm", url: "${V}", model: "v"),
        ]
        func run(_ order: String?, _ compare: String) async throws -> HandlerOutcome {
            var environment = ["W": one.url, "V": two.url, "C": compare]
            environment["ORDER"] = order
            let engine = try ProviderSpeech.engine(
                providers,
                options: ["order": "${ORDER:-whisperx}", "compare": "${C}"],
                environment: environment
            )
            return await engine.run(ProviderFixture.work(ProviderSpeech.input()), context: ToldContext())
        }
        #expect(try await run(nil, "true").attempts == ["whisperx completed"])
        let all = try await run("qwen2-audio, voxtral-small,whisperx", "true")
        #expect(all.attempts == ["qwen2-audio skipped", "voxtral-small completed", "whisperx completed"])
        #expect(all.output?["text"] == "Otro texto.")
        #expect(all.output?["attempts"]?.array?.last?["segments"] == ProviderSpeech.segments)
        #expect(all.output?["attempts"]?.array?.first?["error"]?.string?.contains("set Q") == true)
        #expect(try await run("voxtral-small,whisperx", "false").attempts == ["voxtral-small completed"])
        let none = try await run("qwen2-audio", "true").error
        #expect(none?.category == .provider)
        #expect(none?.isFinal == true)
        #expect(none?.message.contains("set Q") == true)
        await #expect(throws: JobError.self) { _ = try await run("whisper", "true") }
    }

    @Test func whenAllFailTheJobIsTriedAgainOnlyIfThatMayHelp() async throws {
        let refusing = ProviderServer(ProviderServer.whole(400, "{\"detail\":\"no speech\"}"))
        let busy = ProviderServer(ProviderServer.whole(503, ""))
        defer {
            refusing.stop()
            busy.stop()
        }
        let refused = Provider(name: "r", kind: "whisperx-asr", url: refusing.url)
        let late = Provider(name: "b", kind: "whisperx-asr", url: busy.url)
        let input = try await run([refused]).error
        #expect(input == JobError(.invalidInput, "r: it answered 400: no speech"))
        let both = try await run([refused, late]).error
        #expect(both?.category == .provider)
        #expect(both?.isFinal == false)
        // An audio model takes wav and mp3 alone.
        let ogg = ProviderSpeech.input(Array("OggS rest".utf8))
        let model = Provider(name: "m", kind: "audio-llm", url: busy.url, model: "m")
        let deaf = try await run([model], options: [:], ogg).error
        #expect(deaf?.message.contains("takes wav or mp3, the recording is ogg") == true)
        #expect(deaf?.isFinal == true)
    }
}
