// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What a handler's result means: the body of `job-done` of the RunPod protocol (contract, 2.5) and of
/// `python/PROTOCOL.md`; pure.
public struct RunPodResult: Sendable, Hashable {
    /// The output, or why there is none.
    public var outcome: Result<JSON, JobError>
    /// Whether the handler asked for a fresh process (`refresh_worker`, sent as `stopPod`).
    public var wantsRestart = false

    /// Reads a parsed body: an `error` that is there and not null is a failure, everything else a success.
    public init(_ body: JSON) {
        guard case .object(let members) = body else {
            let message = "the handler's result is no JSON object with `output` or `error`"
            outcome = .failure(JobError(.handler, message))
            return
        }
        wantsRestart = members["stopPod"]?.bool ?? false
        switch members["error"] {
        case nil, .null?: outcome = .success(members["output"] ?? .null)
        case .string(let text)?: outcome = .failure(Self.error(text))
        case let other?: outcome = .failure(JobError(.handler, String(decoding: other.bytes, as: UTF8.self)))
        }
    }

    /// What a body tells that comes before the end (`progress_update`); nil for a result.
    public static func progress(in body: JSON) -> JSON? {
        // In a conditional expression `nil` would be JSON's null.
        guard body["status"]?.string == "IN_PROGRESS" else { return nil }
        return body["output"] ?? .null
    }

    /// Why a body counts as a failure that is not JSON at all.
    public static func unreadable(_ reason: String) -> JobError {
        JobError(.handler, "what the handler returned is not JSON (\(reason)); NaN, Infinity and bytes are not JSON")
    }

    /// Why a body counts as a failure that has more than `limit` bytes.
    public static func tooLarge(_ limit: Int) -> JobError {
        JobError(
            .handler,
            "the result has more than \(limit) bytes; what is large goes to the media store, by reference"
        )
    }

    /// Reads the string of a result's `error`: an object of `python/PROTOCOL.md` or of the RunPod package, or plain
    /// words.
    public static func error(_ text: String) -> JobError {
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
