// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What an upstream heard.
struct Transcript: Sendable {
    let text: String
    /// The segments as the upstream gives them: objects with `start`, `end` and `text` where it knows them.
    let segments: [JSON]
    let language: String?
    let model: String?
    var usage = JobUsage()

    /// Takes a text without times: one segment, as long as the recording where that is known.
    init(text: String, model: String?, seconds: Double?) {
        self.text = text
        self.model = model
        language = nil
        let end: JSON = seconds.map { .number(JSONNumber(($0 * 1000).rounded() / 1000)) } ?? .null
        segments = text.isEmpty ? [] : [["start": 0, "end": end, "text": .string(text)]]
    }

    /// Reads what the families of WhisperX answer: `segments`, `text`, `language`.
    ///
    /// - Throws: ``UpstreamFailure`` when it is no transcript.
    init(_ json: JSON, model: String?, seconds: Double?) throws(UpstreamFailure) {
        let text = json["text"]?.string?.trimmed
        switch json["segments"] {
        case nil, .null:
            guard let text else {
                let words = UpstreamFailure.words(json).map { ": \($0)" } ?? ""
                throw .unreadable("its answer holds neither segments nor text\(words)")
            }
            self.init(text: text, model: model, seconds: seconds)
        case .array(let segments) where segments.allSatisfy({ $0["text"]?.string != nil }):
            let parts = segments.compactMap { $0["text"]?.string?.trimmed }.filter { !$0.isEmpty }
            self.init(
                text: text ?? parts.joined(separator: " "),
                segments: segments,
                language: json["language"]?.string,
                model: model ?? json["model"]?.string
            )
        default: throw .unreadable("its answer's segments are no list of objects with a text")
        }
    }

    private init(text: String, segments: [JSON], language: String?, model: String?) {
        self.text = text
        self.segments = segments
        self.language = language
        self.model = model
    }
}

extension String {
    /// The text without white space around it.
    var trimmed: String {
        guard let start = firstIndex(where: { !$0.isWhitespace }), let end = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[start...end])
    }
}
