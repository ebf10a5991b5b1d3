// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What an envelope of the marketplace says of a task: an answer to a poll or a cancel, or a callback's body.
struct Envelope: Sendable {
    /// The number of its status code, `000` to `599`.
    let code: String
    /// What the data are, such as `META_DATA`; nil when it does not say.
    let dataType: String?
    /// The data, in which media are their references alone, for their URLs differ each time; nil without data.
    let data: JSON?
    /// Whether each of its media has a URL.
    let hasURLs: Bool
    /// The task that it names in its response, and the request that it names.
    let task: String?
    let request: String?

    /// Reads one; nil when it is none.
    init?(_ answer: JSON) {
        guard let status = answer["errorCode"]?["status"]?.string, let code = status.split(separator: "_").last
        else { return nil }
        self.code = String(code)
        let response = answer["response"]
        dataType = response?["dataType"]?.string
        (task, request) = (response?["taskId"]?.string, answer["requestId"]?.string)
        let isHybrid = dataType == "HYBRID"
        // Spelt out: a `nil` beside a JSON value would be JSON's null.
        data = response?["data"].map { isHybrid ? Self.withoutURLs($0) : $0 } ?? .none
        let media = isHybrid ? Self.media(in: response?["data"] ?? .null) : []
        hasURLs = media.allSatisfy { $0["url"]?.string?.hasPrefix("http") ?? false }
    }

    /// What the data of a method of the app are; see ``ChaosDefinitions``.
    static func dataType(of method: String) -> String { method == "media" ? "HYBRID" : "META_DATA" }

    private static func isMedia(_ part: JSON) -> Bool { part["dataType"]?.string == "S3_OBJECT" }

    /// The media of a list of parts; null is none.
    private static func media(in parts: JSON) -> [JSON] {
        (parts.array ?? []).filter(isMedia).flatMap { part -> [JSON] in
            let data = part["data"] ?? .null
            return (data.array ?? [data]).filter { $0 != .null }
        }
    }

    /// A list of parts with the references of its media only, as the ledger has them.
    static func withoutURLs(_ parts: JSON) -> JSON {
        guard let list = parts.array else { return parts }
        return .array(
            list.map { part in
                guard isMedia(part), var members = part.object, let data = members["data"] else { return part }
                members["data"] = data.array.map { .array($0.map(reference)) } ?? reference(data)
                return .object(members)
            }
        )
    }

    private static func reference(_ media: JSON) -> JSON {
        guard let object = media.object else { return media }
        let kept = object.members.filter { $0.name != "url" && $0.name != "expiresAt" }
        if kept.count == 1, let text = media["reference"]?.string { return .string(text) }
        return .object(JSONObject(kept.map { ($0.name, $0.value) }))
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
