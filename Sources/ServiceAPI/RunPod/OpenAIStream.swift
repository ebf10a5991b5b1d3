// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Workflow

/// The events of one streamed answer, from the first part that a job tells to its result: pure.
///
/// Parts in OpenAI's shape pass as they are and end themselves; around text, OpenAI's own frame is made: the role first,
/// a `finish_reason` last, and the usage after it where the caller asked for it.
struct OpenAIStream: Sendable {
    private let answer: OpenAIAnswer
    private let includesUsage: Bool
    private var model: String
    private var hasParts = false
    private var hasText = false
    private var hasToolCalls = false

    private static let ends = ["data: [DONE]", "data:[DONE]"].map { Array($0.utf8) }

    /// Begins an answer.
    ///
    /// - Parameter includesUsage: whether the caller asked for it (`stream_options.include_usage`).
    init(_ answer: OpenAIAnswer, includesUsage: Bool = false) {
        self.answer = answer
        self.includesUsage = includesUsage
        model = answer.model
    }

    /// A part of the output as server-sent events; the end of the stream is left out, it comes once.
    mutating func events(_ part: JSON) -> [UInt8] {
        hasParts = true
        switch part {
        case .string(let text) where text.hasPrefix("data:"):
            // By bytes: "\r\n" is one character.
            let lines = Array(text.utf8).split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
            return lines.filter { !Self.ends.contains(Array($0)) }.flatMap { $0 + Array("\n\n".utf8) }
        case .string(let text): return self.text(JSONObject([("content", .string(text))]))
        case .array(let parts):
            var bytes: [UInt8] = []
            for part in parts { bytes += events(part) }
            return bytes
        case .object(let members) where members["choices"] == nil && members["content"] != nil:
            if let name = members["model"]?.string { model = name }
            var delta = JSONObject([("content", members["content"] ?? "")])
            if let value = members["reasoning_content"], value != .null { delta["reasoning_content"] = value }
            return text(delta) + toolCalls(members)
        case .null: return []
        default: return OpenAIAnswer.event(part)
        }
    }

    /// What comes after the last part of a job that succeeded, the end of the stream included.
    mutating func end(_ result: JSON?) -> [UInt8] {
        var bytes: [UInt8] = []
        // The result of a handler that told nothing on its way.
        if !hasParts, let result { bytes += events(result) }
        guard hasText else { return bytes + OpenAIAnswer.end }
        // A generator's result is the list of all it yielded.
        let last = result.flatMap { $0.array?.last ?? $0 }?.object ?? JSONObject()
        if let name = last["model"]?.string { model = name }
        bytes += toolCalls(last)
        let reason = last["finish_reason"]?.string ?? (hasToolCalls ? "tool_calls" : "stop")
        bytes += chunk([["index": 0, "delta": [:], "finish_reason": .string(reason)]])
        if includesUsage, let usage = last["usage"], usage.object != nil { bytes += chunk([], usage: usage) }
        return bytes + OpenAIAnswer.end
    }

    private mutating func text(_ members: JSONObject) -> [UInt8] {
        var delta = members
        if !hasText { delta = JSONObject([("role", "assistant")] + members.members.map { ($0.name, $0.value) }) }
        hasText = true
        return chunk([["index": 0, "delta": .object(delta), "finish_reason": .null]])
    }

    /// The tool calls of a result, once: they are not told in pieces.
    private mutating func toolCalls(_ members: JSONObject) -> [UInt8] {
        guard !hasToolCalls, let calls = members["tool_calls"]?.array, !calls.isEmpty else { return [] }
        hasToolCalls = true
        let indexed = calls.enumerated().map { index, call in
            call["index"] == nil ? call.adding("index", .number(JSONNumber(index))) : call
        }
        return chunk([["index": 0, "delta": ["tool_calls": .array(indexed)], "finish_reason": .null]])
    }

    private func chunk(_ choices: JSON, usage: JSON = .null) -> [UInt8] {
        let chunk: JSON = [
            "id": .string("chatcmpl-\(answer.id)"), "object": "chat.completion.chunk",
            "created": .number(JSONNumber(answer.created)), "model": .string(model), "choices": choices,
        ]
        // With the usage asked for, every other chunk says that it has none.
        return OpenAIAnswer.event(includesUsage ? chunk.adding("usage", usage) : chunk)
    }
}
