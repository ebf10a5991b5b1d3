// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// What a handler's result means: the table "job-done" of the RunPod protocol and `python/PROTOCOL.md`.
struct HandlerResult: Sendable {
    /// How the attempt ended.
    var outcome: HandlerOutcome
    /// Whether the handler asked for a fresh process (`refresh_worker`, sent as `stopPod`).
    var wantsRestart = false

    /// Reads one result, the parsed body of `job-done` or an entry of an exchange's `done`.
    init(_ result: JSON) {
        guard case .object(let members) = result else {
            outcome = .failed(JobError(.handler, "the handler's result is no JSON object with `output` or `error`"))
            return
        }
        wantsRestart = members["stopPod"]?.bool ?? false
        switch members["error"] {
        case nil, .null?: outcome = .succeeded((members["output"] ?? .null).bytes)
        case .string(let text)?: outcome = .failed(Self.error(text))
        case let other?: outcome = .failed(JobError(.handler, String(decoding: other.bytes, as: UTF8.self)))
        }
    }

    /// A result that is not JSON at all.
    init(unreadable reason: String) {
        outcome = .failed(
            JobError(
                .handler,
                "what the handler returned is not JSON (\(reason)); NaN, Infinity and bytes are not JSON"
            )
        )
    }

    /// A result that has too many bytes.
    init(tooLarge limit: Int) {
        outcome = .failed(
            JobError(
                .handler,
                "the result has more than \(limit) bytes; what is large goes to the media store, by reference"
            )
        )
    }

    /// Reads the string of a result's `error`: an object of `python/PROTOCOL.md`, or plain words.
    static func error(_ text: String) -> JobError {
        // Whatever is no such object counts as words: other handlers send those.
        guard text.first == "{", let error = try? JSON(parsing: Array(text.utf8)), case .object(let members) = error
        else {
            return JobError(.handler, text.isEmpty ? "the handler failed without a word" : text)
        }
        let kind = members["category"]?.string
        var message = members["error_message"]?.string ?? text
        if kind == nil || kind == "handler", let type = members["error_type"]?.string.flatMap(typeName) {
            message = message.isEmpty || message == type ? type : "\(type): \(message)"
        }
        let isFinal = members["final"]?.bool
        let field = members["field"]?.string
        switch kind {
        case "invalid_input": return JobError(.invalidInput, message, isFinal: isFinal ?? true, field: field)
        case "timeout": return JobError(.timeout, message, isFinal: isFinal ?? false, field: field)
        case "provider": return JobError(.provider, message, isFinal: isFinal ?? false, field: field)
        case nil, "handler", "bad_result", "cancelled":
            return JobError(.handler, message, isFinal: isFinal ?? false, field: field)
        case let other?:
            return JobError(.handler, "\(other): \(message)", isFinal: isFinal ?? false, field: field)
        }
    }

    /// `ValueError` from `<class 'ValueError'>`; nil for the module's own `Failure`, whose message says it all.
    private static func typeName(_ text: String) -> String? {
        guard let open = text.firstIndex(of: "'"), let close = text.lastIndex(of: "'"), open < close else { return nil }
        let name = String(text[text.index(after: open)..<close])
        return name.hasPrefix("malla.") ? nil : name
    }
}
