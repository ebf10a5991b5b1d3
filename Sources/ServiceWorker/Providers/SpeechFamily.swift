// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The protocols that turn a recording into text.
enum SpeechFamily: String, Sendable, CaseIterable {
    /// `POST /asr?output=json` with `audio_file`, answers JSON as text/plain.
    case asr = "whisperx-asr"
    /// `POST /speech-to-text` with `file`, then `GET /task/{id}`.
    case task = "whisperx-task"
    /// OpenAI's `POST /v1/audio/transcriptions`.
    case openai = "openai-audio"
    /// Chat completions with an `input_audio` part.
    case chat = "audio-llm"

    /// The kind of a provider whose family is to be found by trying.
    static let unknown = "whisperx"
    /// The families that a WhisperX server may speak, in the order in which they are tried.
    static let whisperX: [SpeechFamily] = [.asr, .task, .openai]

    /// The family that an address names itself, when it does, and the address without it.
    static func named(by url: String) -> (family: SpeechFamily, base: String)? {
        for (end, family) in [("/asr", asr), ("/speech-to-text", task), ("/v1", openai)] where url.hasSuffix(end) {
            return (family, family == .openai ? url : String(url.dropLast(end.count)))
        }
        return url.hasSuffix("/audio/transcriptions") ? (.openai, url) : nil
    }
}
