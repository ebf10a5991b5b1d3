// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MediaStore
import ServiceWorker
import Testing
import Workflow

@Suite(.timeLimit(.minutes(2))) struct ProviderSpeechTests {
    private func run(_ engine: TranscriptionEngine, _ input: JSON = ProviderSpeech.input()) async -> HandlerOutcome {
        await engine.run(ProviderFixture.work(input), context: ToldContext())
    }

    /// A WhisperX server of each family, by what a provider may call it.
    private func servers() -> [(kind: String, server: ProviderServer)] {
        [
            ("whisperx-asr", ProviderSpeech.asr()), ("whisperx-task", ProviderSpeech.task()),
            ("openai-audio", ProviderSpeech.openai()),
        ]
    }

    @Test func everyFamilyIsSpokenByNameAndFoundByTrying() async throws {
        for (kind, server) in servers() {
            defer { server.stop() }
            for said in [kind, "whisperx"] {
                let engine = try ProviderSpeech.engine([Provider(name: "w", kind: said, url: server.url)])
                let result = try #require(await run(engine).output, "\(kind) as \(said)")
                #expect(result["segments"] == ProviderSpeech.segments)
                #expect(result["text"] == "Buenos días. Adiós.")
                #expect(result["provider"] == "w")
                let attempt = try #require(result["attempts"]?.array?.first)
                #expect(attempt["status"] == "completed")
                #expect(attempt["segments"] == ProviderSpeech.segments)
                #expect(attempt["text"] == "Buenos días. Adiós.")
                #expect(attempt["error"] == .null)
                #expect((attempt["duration_ms"]?.int ?? -1) >= 0)
            }
        }
    }

    @Test func aFoundFamilyIsRememberedAndFoundAnewWhenTheServerChanges() async throws {
        for (kind, server) in servers() {
            defer { server.stop() }
            let engine = try ProviderSpeech.engine([Provider(name: "w", kind: "whisperx", url: server.url)])
            #expect(await run(engine).output != nil)
            let before = server.calls.count
            #expect(await run(engine).output != nil)
            let paths = server.calls[before...].filter { $0.method == "POST" }.map(\.path)
            #expect(paths.count == 1, "\(kind): \(paths)")
        }
        let changing = ProviderServer { call in
            let isASR = call.index == 0
            guard call.path == (isASR ? "/asr" : "/v1/audio/transcriptions") else { return [ProviderSpeech.notFound] }
            return [ProviderServer.whole("{\"text\":\"\(isASR ? "one" : "two")\"}")]
        }
        defer { changing.stop() }
        let engine = try ProviderSpeech.engine([Provider(name: "w", kind: "whisperx", url: changing.url)])
        #expect(await run(engine).output?["text"] == "one")
        #expect(await run(engine).output?["text"] == "two")
    }

    @Test(arguments: ["/asr", "/speech-to-text", "/v1", "/v1/audio/transcriptions"])
    func anAddressMayNameTheFamily(_ path: String) async throws {
        let all = [ProviderSpeech.asr(), ProviderSpeech.task(), ProviderSpeech.openai(), ProviderSpeech.openai()]
        defer { for server in all { server.stop() } }
        let places = ["/asr", "/speech-to-text", "/v1", "/v1/audio/transcriptions"]
        let server = all[try #require(places.firstIndex(of: path))]
        let engine = try ProviderSpeech.engine([Provider(name: "w", kind: "whisperx", url: server.url + path)])
        #expect(await run(engine).output?["segments"] == ProviderSpeech.segments)
        #expect(server.calls.filter { $0.method == "POST" }.count == 1)
    }

    @Test func whatIsAskedForGoesToEachFamilyInItsWords() async throws {
        let options: JSON = [
            "language": "es", "prompt": "Señor Núñez & Co", "task": "translate", "diarize": true, "max_speakers": 2,
        ]
        let asr = ProviderSpeech.asr()
        let task = ProviderSpeech.task()
        let openai = ProviderSpeech.openai()
        let model = ProviderSpeech.model()
        defer { for server in [asr, task, openai, model] { server.stop() } }
        let providers = [
            Provider(name: "a", kind: "whisperx-asr", url: asr.url, key: "k"),
            Provider(name: "b", kind: "whisperx-task", url: task.url, model: "large-v3"),
            Provider(
                name: "c",
                kind: "openai-audio",
                url: openai.url + "/v1/audio/transcriptions",
                model: "whisper-large"
            ),
            Provider(
                name: "d",
                kind: "audio-llm",
                url: model.url,
                model: "voxtral",
                promptPrice: 1e6,
                completionPrice: 1e6
            ),
        ]
        let engine = try ProviderSpeech.engine(
            providers,
            options: ["compare": true, "prompt": "${P}", "max_tokens": "${T:-77}"],
            environment: ["P": "Write it down."]
        )
        let told = ToldContext()
        let input = ProviderSpeech.input(ProviderSpeech.wav, ["options": options, "format": "mp3"])
        let outcome = await engine.run(ProviderFixture.work(input), context: told)
        #expect(outcome.attempts == ["a completed", "b completed", "c completed", "d completed"])
        #expect(told.usages.last == JobUsage(costUSD: 110, promptTokens: 100, completionTokens: 10))
        #expect(told.progresses.map { $0["provider"]?.string } == ["a", "b", "c", "d"])

        let first = try #require(asr.calls.first)
        #expect(first.header("Authorization") == "Bearer k")
        let query = "task=translate&language=es&initial_prompt=Se%C3%B1or%20N%C3%BA%C3%B1ez%20%26%20Co&diarize=true"
        #expect(first.query == "output=json&encode=true&\(query)&max_speakers=2")
        // What the bytes are goes before what the caller says.
        #expect(first.text.contains("name=\"audio_file\"; filename=\"audio.wav\"\r\nContent-Type: audio/wav"))
        #expect(first.body.count > ProviderSpeech.wav.count)

        let second = try #require(task.calls.first)
        #expect(second.query.hasPrefix("task=translate&language=es&model=large-v3"))
        #expect(second.text.contains("name=\"file\"; filename=\"audio.wav\""))

        let third = try #require(openai.calls.first)
        for (name, value) in [("model", "whisper-large"), ("response_format", "verbose_json"), ("language", "es")] {
            #expect(third.text.contains("name=\"\(name)\"\r\n\r\n\(value)\r\n"))
        }

        let fourth = try #require(model.calls.first)
        #expect(fourth.path == "/v1/chat/completions")
        #expect(fourth.json["model"] == "voxtral")
        #expect(fourth.json["max_tokens"] == 77)
        let parts = fourth.json["messages"]?.array?.first?["content"]?.array ?? []
        let part = parts.first { $0["type"] == "input_audio" }
        #expect(part?["input_audio"]?["format"] == "wav")
        #expect(part?["input_audio"]?["data"]?.string == Data(ProviderSpeech.wav).base64EncodedString())
        #expect(parts.last?["text"]?.string?.hasPrefix("Write it down.") == true)
        let heard = outcome.output?["attempts"]?.array?.last
        #expect(heard?["model"] == "voxtral")
        #expect(heard?["segments"] == [["start": 0, "end": 1, "text": "Buenos días."]])
    }

    @Test func theRecordingMayBeMediaOrAnAddress() async throws {
        let server = ProviderSpeech.asr()
        defer { server.stop() }
        let media = ProviderSpeech.media()
        let stored = try await media.storeOriginal(
            ByteStream {
                $0.yield(ProviderSpeech.wav)
                $0.finish()
            },
            contentType: "audio/wav",
            limit: 1 << 20
        )
        let provider = Provider(name: "w", kind: "whisperx-asr", url: server.url)
        let engine = try ProviderSpeech.engine([provider], media: media)
        #expect(await run(engine, ["audio": .string(stored.reference.description)]).output != nil)
        #expect(server.calls.first.map { $0.body.count > ProviderSpeech.wav.count } == true)

        let small = try ProviderSpeech.engine([provider], options: ["max_audio": "1KiB"], media: media)
        let wrong: [(JSON, String)] = [
            (["audio": .string(stored.reference.description + "x")], "/audio"),
            (["audio": "nothing"], "/audio"), (["audio": 1], "/audio"), ([:], "/audio"),
            (["data": "!"], "/data"), (["data": ""], "/data"), (["data": 1], "/data"),
            (["data": "AAAA", "task": "sing"], "/task"), (["data": "AAAA", "language": 1], "/language"),
            // A client's address is fetched under the network rules.
            (["audio_url": .string(server.url + "/a.wav")], "/audio_url"),
        ]
        for (input, field) in wrong {
            let error = await run(engine, input).error
            #expect(error?.category == .invalidInput, "\(input.text)")
            #expect(error?.field == field)
        }
        for input in [["audio": .string(stored.reference.description)], ProviderSpeech.input()] as [JSON] {
            #expect(await run(small, input).error?.message.contains("more than 1024 bytes") == true)
        }
        #expect(server.calls.count == 1)
    }

    @Test func cancellingEndsTheAsking() async throws {
        let server = ProviderSpeech.task([ProviderSpeech.pending])
        defer { server.stop() }
        let engine = try ProviderSpeech.engine([Provider(name: "w", kind: "whisperx", url: server.url)])
        let task = Task { await run(engine) }
        for _ in 0..<2000 where !server.calls.contains(where: { $0.method == "GET" }) {
            try await Task.sleep(for: .milliseconds(5))
        }
        let clock = ContinuousClock.now
        task.cancel()
        #expect(await task.value == .stopped)
        #expect(ContinuousClock.now - clock < .seconds(1))
    }
}
