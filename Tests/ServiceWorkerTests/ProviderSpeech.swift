// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import HTTPTransfer
import MediaStore
import MediaStoreFiles
import Plumbing
import ServiceWorker
import Workflow

/// WhisperX servers of the three families and an audio model, as their public interfaces are, and engines around them.
enum ProviderSpeech {
    static let segments: JSON = [
        ["start": 0.1, "end": 1.5, "text": " Buenos días.", "speaker": "SPEAKER_00"],
        ["start": 1.6, "end": 2.0, "text": "Adiós."],
    ]

    /// A second of silence.
    static let wav: [UInt8] = {
        func little(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        let head = Array("RIFF".utf8) + little(36 + 16_000) + Array("WAVEfmt ".utf8) + little(16) + [1, 0, 1, 0]
        return head + little(8000) + little(16_000) + [2, 0, 16, 0] + Array("data".utf8) + little(16_000)
            + [UInt8](repeating: 0, count: 16_000)
    }()

    static let notFound = ProviderServer.whole(404, "{\"detail\":\"Not Found\"}")

    /// `POST /asr`: JSON as text/plain.
    static func asr() -> ProviderServer {
        ProviderServer { call in
            guard call.method == "POST", call.path == "/asr" else { return [notFound] }
            let answer: JSON = ["language": "es", "segments": segments, "text": " Buenos días. Adiós."]
            return [ProviderServer.whole(answer.text, type: "text/plain; charset=utf-8")]
        }
    }

    /// `POST /speech-to-text`, then `GET /task/{id}`, which answers these, the last one for ever.
    static func task(_ answers: [ProviderServer.Step] = [pending, processing, completed]) -> ProviderServer {
        ProviderServer { call in
            switch (call.method, call.path) {
            case ("POST", "/speech-to-text"):
                return [ProviderServer.whole("{\"identifier\":\"t 1/2\",\"message\":\"Task queued\"}")]
            case ("GET", "/task/t%201%2F2"):
                // The first call was the recording.
                return [answers[min(call.index - 1, answers.count - 1)]]
            default: return [notFound]
            }
        }
    }

    static let pending = ProviderServer.whole("{\"status\":\"pending\"}")
    static let processing = ProviderServer.whole("{\"status\":\"processing\",\"result\":null}")
    static let completed: ProviderServer.Step = {
        let answer: JSON = ["status": "completed", "result": ["segments": segments, "word_segments": []]]
        return ProviderServer.whole(answer.text)
    }()

    /// `POST /v1/audio/transcriptions`.
    static func openai() -> ProviderServer {
        ProviderServer { call in
            guard call.method == "POST", call.path == "/v1/audio/transcriptions" else { return [notFound] }
            let answer: JSON = [
                "task": "transcribe", "language": "spanish", "duration": 2, "text": "Buenos días. Adiós.",
                "segments": segments,
            ]
            return [ProviderServer.whole(answer.text)]
        }
    }

    /// A chat model that hears.
    static func model(_ text: String = " Buenos días. ") -> ProviderServer {
        let usage: JSON = ["prompt_tokens": 100, "completion_tokens": 10]
        return ProviderServer(ProviderServer.whole(ProviderFixture.completion(text, usage: usage)))
    }

    static func engine(
        _ providers: [Provider],
        options: JSON = [:],
        environment: [String: String] = [:],
        media: any MediaStore = media()
    ) throws -> TranscriptionEngine {
        try TranscriptionEngine(
            ProviderFixture.service("transcription"),
            providers: providers,
            options: options,
            environment: environment,
            http: ProviderFixture.http,
            guarded: CurlTransfer(settings: TransferSettings(policy: .publicOnly(allowing: []))),
            media: media
        )
    }

    static func media() -> any MediaStore {
        FilesMediaStore(
            folder: FileManager.default.temporaryDirectory.appending(path: "malla-speech-\(MeshID())").path,
            bucket: "media",
            baseURL: "http://localhost",
            secret: Array("secret".utf8)
        )
    }

    /// An input with the recording in itself.
    static func input(_ bytes: [UInt8] = wav, _ more: JSON = [:]) -> JSON {
        var input = more.object ?? JSONObject()
        input["data"] = .string(Data(bytes).base64EncodedString())
        return .object(input)
    }
}
