// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What an envelope of the marketplace says of a task: an answer to a poll or a cancel, or a callback's body.
struct Envelope: Sendable {
    /// The number of its status code, `000` to `599`.
    let code: String
    /// The data as JSON; nil unless it says so (`META_DATA`), for the URLs of media differ each time.
    let data: JSON?

    /// Reads one; nil when it is none.
    init?(_ answer: JSON) {
        guard let status = answer["errorCode"]?["status"]?.string, let code = status.split(separator: "_").last
        else { return nil }
        self.code = String(code)
        let response = answer["response"]
        let isPlain = ["META_DATA", "METADATA"].contains(response?["dataType"]?.string ?? "")
        // Spelt out: a `nil` beside a JSON value would be JSON's null.
        data = isPlain ? .some(response?["data"] ?? .null) : .none
    }

    /// Whether it says that the task is still under way.
    var isOpen: Bool { code == "001" || code == "002" }

    /// The code that the end of a task has; nil while it has none.
    static func code(of task: TaskRow) -> String? {
        switch task.verdict {
        case nil: return nil
        case .succeeded: return "000"
        case .cancelled: return "499"
        case .timedOut: return "500"
        case .failed:
            switch task.error?["category"]?.string {
            case "invalid_input": return "400"
            case "timeout": return "500"
            case "cancelled": return "499"
            default: return "501"
            }
        }
    }
}

extension ClientCall {
    /// Whether it was answered well.
    var isAnswered: Bool { status.map { (200..<300).contains($0) } ?? false }
}
