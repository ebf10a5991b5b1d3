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

    /// The event that tells why a stream ends early.
    func failure(_ error: JobError) -> [UInt8] { Self.event(Self.error(error.message, type: error.category.rawValue)) }

    /// An error as OpenAI's clients read it.
    static func error(_ message: String, type: String) -> JSON {
        ["error": ["message": .string(message), "type": .string(type), "param": .null, "code": .null]]
    }

    /// The list of one model, as `GET /models` answers.
    static func models(_ model: String) -> JSON {
        ["object": "list", "data": [["id": .string(model), "object": "model", "created": 0, "owned_by": "malla"]]]
    }

    /// One server-sent event.
    static func event(_ json: JSON) -> [UInt8] { Array("data: ".utf8) + json.bytes + Array("\n\n".utf8) }
}
