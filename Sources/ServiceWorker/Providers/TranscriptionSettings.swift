// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import HTTPTransfer
internal import Workflow

/// The options of a transcription service.
struct TranscriptionSettings: Sendable {
    /// The providers' names in the order in which they are asked; nil for that of the definition.
    let order: [String]?
    /// Whether every provider is asked, or only until one succeeds.
    let compares: Bool
    /// The largest recording in bytes.
    let audioLimit: Int
    private let instruction: String
    private let maxTokens: Int
    private let answerLimit: Int
    private let service: String

    private static let instruction =
        "Transcribe the recording word for word in the language that is spoken. Answer with the transcript alone."

    init(_ options: JSON, service: String, environment: [String: String]) throws(JobError) {
        let options = EngineOptions(options, service: service, environment: environment)
        let names = options.text("order")?.split(separator: ",").map { String($0).trimmed }.filter { !$0.isEmpty }
        order = names?.isEmpty == false ? names : nil
        compares = try options.flag("compare", default: false)
        audioLimit = try options.size("max_audio", default: 100 << 20)
        instruction = options.text("prompt") ?? Self.instruction
        maxTokens = try options.count("max_tokens", default: 4096)
        answerLimit = try options.size("max_answer", default: Completion.maxResultSize)
        self.service = service
    }

    /// The providers that are asked, in their order.
    ///
    /// - Throws: `JobError` when the order names one that there is not.
    func ordered(_ providers: [Provider]) throws(JobError) -> [Provider] {
        guard let order else { return providers }
        var ordered: [Provider] = []
        for name in order where !ordered.contains(where: { $0.name == name }) {
            guard let provider = providers.first(where: { $0.name == name }) else {
                let known = providers.map(\.name).joined(separator: ", ")
                throw JobError(
                    .invalidInput,
                    "the option 'order' of '\(service)' names the provider '\(name)'; there are \(known)"
                )
            }
            ordered.append(provider)
        }
        return ordered
    }

    /// A call of an upstream.
    func call(
        _ upstream: Upstream,
        _ input: SpeechInput,
        _ audio: SpeechAudio,
        http: any HTTPTransferring,
        trace: String?
    ) -> SpeechCall {
        SpeechCall(
            http: http,
            upstream: upstream,
            base: SpeechFamily.named(by: upstream.url)?.base ?? upstream.url,
            input: input,
            audio: audio,
            instruction: instruction,
            maxTokens: maxTokens,
            answerLimit: answerLimit,
            trace: trace
        )
    }
}
