// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import HTTPTransfer
internal import Plumbing
internal import Workflow

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// One call of one upstream that turns a recording into text.
struct SpeechCall: Sendable {
    let http: any HTTPTransferring
    let upstream: Upstream
    /// The address without the part that names the family.
    let base: String
    let input: SpeechInput
    let audio: SpeechAudio
    /// What an audio model is told to do.
    let instruction: String
    let maxTokens: Int
    let answerLimit: Int
    let trace: String?

    /// Asks in the words of this family.
    ///
    /// - Throws: ``UpstreamFailure``, or `TransferError` when the transfer fails.
    func run(_ family: SpeechFamily) async throws -> Transcript {
        switch family {
        case .asr: try await asr()
        case .task: try await task()
        case .openai: try await openai()
        case .chat: try await chat()
        }
    }

    private func asr() async throws -> Transcript {
        var form = Multipart()
        form.add("audio_file", file: audio.fileName, type: audio.contentType, audio.bytes)
        var query = [("output", "json"), ("encode", "true"), ("task", input.task)]
        if let language = input.language { query.append(("language", language)) }
        if let prompt = input.prompt { query.append(("initial_prompt", prompt)) }
        if let diarize = input.diarize { query.append(("diarize", "\(diarize)")) }
        query += speakers
        return try transcript(try await post("\(base)/asr", query, form))
    }

    private func openai() async throws -> Transcript {
        var form = Multipart()
        form.add("model", upstream.model ?? "whisper-1")
        form.add("response_format", "verbose_json")
        if let language = input.language { form.add("language", language) }
        if let prompt = input.prompt { form.add("prompt", prompt) }
        form.add("file", file: audio.fileName, type: audio.contentType, audio.bytes)
        let isWhole = upstream.url.hasSuffix("/audio/transcriptions")
        let call = input.task == "translate" && !isWhole ? "audio/translations" : "audio/transcriptions"
        return try transcript(try await post(upstream.address(of: call), [], form))
    }

    private func task() async throws -> Transcript {
        var form = Multipart()
        form.add("file", file: audio.fileName, type: audio.contentType, audio.bytes)
        var query = [("task", input.task)]
        if let language = input.language { query.append(("language", language)) }
        if let model = upstream.model { query.append(("model", model)) }
        if let prompt = input.prompt { query.append(("initial_prompt", prompt)) }
        let queued = try await post("\(base)/speech-to-text", query + speakers, form)
        guard let id = queued["identifier"]?.string ?? queued["task_id"]?.string ?? queued["id"]?.string, !id.isEmpty
        else { throw UpstreamFailure.unreadable("its answer names no task to ask for") }
        return try await poll("\(base)/task/\(Self.encode(id))")
    }

    /// Asks for a task until it has ended; one failed question, or two, are no end.
    private func poll(_ url: String) async throws -> Transcript {
        var pause = Duration.milliseconds(200)
        var failures = 0
        while true {
            do {
                let request = TransferRequest("GET", url, timeout: min(upstream.timeout, .seconds(30)))
                if let transcript = try ended(try await read(request)) { return transcript }
                failures = 0
            } catch {
                failures += 1
                let failure = UpstreamFailure(error)
                guard failure.kind == .passing, failures < 3, !Task.isCancelled else {
                    // Without the status: a task that is not known says nothing about the server's family.
                    throw UpstreamFailure(failure.kind, failure.message)
                }
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(2))
        }
    }

    /// What a task came to; nil while it waits or runs.
    private func ended(_ answer: JSON) throws(UpstreamFailure) -> Transcript? {
        switch answer["status"]?.string?.lowercased() {
        case "completed", "success", "succeeded", "done", "finished":
            return try transcript(answer["result"] ?? answer)
        case "failed", "failure", "error", "cancelled", "canceled":
            let words = UpstreamFailure.words(answer).map { ": " + upstream.withoutKey($0) } ?? ""
            throw UpstreamFailure(.refused, "the task failed\(words)")
        case nil: throw .unreadable("the task has no status")
        default: return nil
        }
    }

    private func chat() async throws -> Transcript {
        guard ["wav", "mp3"].contains(audio.format) else {
            throw UpstreamFailure(.refused, "it takes wav or mp3, the recording is \(audio.format)")
        }
        guard let model = upstream.model else { throw UpstreamFailure(.refused, "no model is named for it") }
        var words = instruction
        if let language = input.language { words += " The language is \(language)." }
        if let prompt = input.prompt { words += " \(prompt)" }
        let body: JSON = [
            "model": .string(model),
            "max_tokens": .number(JSONNumber(maxTokens)),
            "temperature": 0,
            "messages": [
                [
                    "role": "user",
                    "content": [
                        [
                            "type": "input_audio",
                            "input_audio": [
                                "data": .string(Data(audio.bytes).base64EncodedString()),
                                "format": .string(audio.format),
                            ],
                        ],
                        ["type": "text", "text": .string(words)],
                    ],
                ]
            ],
        ]
        let call = ChatCall(http: http, upstream: upstream, answerLimit: answerLimit, trace: trace)
        let answer = try await call.run(body: body.bytes) { _ in }
        let text = answer.content.trimmed
        guard !text.isEmpty else { throw UpstreamFailure.unreadable("its answer holds no text") }
        var transcript = Transcript(text: text, model: model, seconds: audio.seconds)
        transcript.usage = upstream.usage(promptTokens: answer.promptTokens, completionTokens: answer.completionTokens)
        return transcript
    }

    private var speakers: [(String, String)] {
        [("min_speakers", input.minSpeakers), ("max_speakers", input.maxSpeakers)].compactMap { name, value in
            value.map { (name, String($0)) }
        }
    }

    private func transcript(_ json: JSON) throws(UpstreamFailure) -> Transcript {
        try Transcript(json, model: upstream.model, seconds: audio.seconds)
    }

    private func post(_ url: String, _ query: [(String, String)], _ form: Multipart) async throws -> JSON {
        let text = query.map { "\($0.0)=\(Self.encode($0.1))" }.joined(separator: "&")
        var request = TransferRequest("POST", text.isEmpty ? url : "\(url)?\(text)", timeout: upstream.patience)
        request.headers = [("Content-Type", form.contentType)]
        request.body = .bytes(form.body())
        return try await read(request)
    }

    /// Sends a request and reads the answer as JSON, whatever type it says it is: one family says text/plain.
    private func read(_ request: TransferRequest) async throws -> JSON {
        var request = request
        request.headers += upstream.headers(trace: trace)
        request.answerLimit = answerLimit
        let answer = try await http.send(request)
        let type = answer.head["content-type"]?.lowercased()
        guard (200...299).contains(answer.head.status) else {
            throw UpstreamFailure(status: answer.head.status, contentType: type, body: answer.body, from: upstream)
        }
        do {
            return try JSON(parsing: answer.body, maxDepth: Completion.maxResultDepth)
        } catch {
            throw UpstreamFailure.unreadable("its answer is not JSON: \(error.message) (byte \(error.offset))")
        }
    }

    /// A text as it may stand in a URL.
    private static func encode(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            let character = Character(Unicode.Scalar(byte))
            if character.isASCII, character.isLetter || character.isNumber || "-_.".contains(character) {
                encoded.append(character)
            } else {
                encoded += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return encoded
    }
}
