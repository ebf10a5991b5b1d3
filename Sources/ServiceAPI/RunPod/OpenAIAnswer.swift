// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Workflow

/// Puts what a job returned, or told on its way, into the shapes of OpenAI's API: pure.
///
/// Handlers for RunPod's OpenAI route (vLLM's) return and yield these shapes already, whole, in a list, or as text of
/// server-sent events; those pass as they are. Malla's own chat engine, and handlers that yield plain text, do not.
struct OpenAIAnswer: Sendable {
    /// The job's id, from which the answer's is made.
    let id: String
    /// Seconds since 1970.
    let created: Int
    /// The model that was asked for.
    let model: String

    /// The last event of a stream.
    static let end = Array("data: [DONE]\n\n".utf8)

    /// The answer of a call that is not streamed.
    func whole(_ result: JSON) -> JSON {
        // A handler that is a generator returns the list of all it yielded, of which there is one.
        if let list = result.array, list.count == 1, let first = list.first { return whole(first) }
        guard let members = result.object, members["choices"] == nil, members["object"] == nil,
            let content = members["content"]
        else { return result }
        var message: JSON = ["role": "assistant", "content": content]
        for name in ["reasoning_content", "tool_calls"] {
            if let value = members[name] { message = message.adding(name, value) }
        }
        let choice: JSON = [
            "index": 0, "message": message, "finish_reason": members["finish_reason"] ?? "stop", "logprobs": .null,
        ]
        var answer: JSON = [
            "id": .string("chatcmpl-\(id)"), "object": "chat.completion", "created": .number(JSONNumber(created)),
            "model": members["model"] ?? .string(model), "choices": [choice],
        ]
        if let usage = members["usage"], usage != .null { answer = answer.adding("usage", usage) }
        return answer
    }

    /// A part of the output as server-sent events; the end of the stream is left out, it comes once.
    func events(_ part: JSON) -> [UInt8] {
        switch part {
        case .string(let text) where text.hasPrefix("data:"):
            let lines = text.split(separator: "\n").filter { $0 != "data: [DONE]" && $0 != "\r" }
            return lines.flatMap { Array("\($0)\n\n".utf8) }
        case .string(let text): return event(chunk(["content": .string(text)]))
        case .array(let parts): return parts.flatMap { events($0) }
        case .object(let members) where members["choices"] == nil && members["content"] != nil:
            return event(chunk(["content": members["content"] ?? ""]))
        case .null: return []
        default: return event(part)
        }
    }

    /// The event that tells why a stream ends early.
    func failure(_ error: JobError) -> [UInt8] { event(Self.error(error.message, type: error.category.rawValue)) }

    /// An error as OpenAI's clients read it.
    static func error(_ message: String, type: String) -> JSON {
        ["error": ["message": .string(message), "type": .string(type), "param": .null, "code": .null]]
    }

    private func event(_ json: JSON) -> [UInt8] { Array("data: ".utf8) + json.bytes + Array("\n\n".utf8) }

    private func chunk(_ delta: JSON) -> JSON {
        [
            "id": .string("chatcmpl-\(id)"), "object": "chat.completion.chunk",
            "created": .number(JSONNumber(created)), "model": .string(model),
            "choices": [["index": 0, "delta": delta, "finish_reason": .null]],
        ]
    }
}
