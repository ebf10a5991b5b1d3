// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// The answer to a chat, put together from a whole one or from the pieces of a stream: pure.
struct ChatAnswer: Sendable {
    private(set) var content = ""
    private(set) var reasoning = ""
    private(set) var toolCalls: [JSON] = []
    private(set) var model: String?
    private(set) var usage: JSON?
    private(set) var finishReason: String?
    private var hasChoice = false
    private var isDone = false

    /// The text that ends a stream.
    private static let end = Array("[DONE]".utf8)

    /// Begins with nothing, for a stream.
    init() {}

    /// Reads a whole answer.
    ///
    /// - Throws: ``UpstreamFailure`` when it is none.
    init(whole body: [UInt8], from upstream: Upstream) throws(UpstreamFailure) {
        let json = try Self.json(body, "the answer")
        try takeHead(json, upstream)
        guard let choice = json["choices"]?.array?.first else {
            throw .unreadable("the answer holds no choices")
        }
        guard let message = choice["message"], message.object != nil else {
            throw .unreadable("the answer's first choice holds no message")
        }
        content = try Self.text(message["content"])
        reasoning = message["reasoning_content"]?.string ?? ""
        toolCalls = message["tool_calls"]?.array ?? []
        finishReason = choice["finish_reason"]?.string
        hasChoice = true
        isDone = true
    }

    /// Takes the data of one event of a stream and returns the text that it adds.
    ///
    /// - Throws: ``UpstreamFailure`` when it can't be read or says that something failed.
    mutating func take(event: [UInt8], from upstream: Upstream) throws(UpstreamFailure) -> String {
        if event == Self.end {
            isDone = true
            return ""
        }
        let json = try Self.json(event, "a piece of the answer")
        try takeHead(json, upstream)
        // The last piece may hold the usage alone; a piece of another choice is none of ours.
        guard let choice = json["choices"]?.array?.first(where: { ($0["index"]?.int ?? 0) == 0 }) else { return "" }
        hasChoice = true
        if let reason = choice["finish_reason"]?.string { finishReason = reason }
        guard let delta = choice["delta"] else { return "" }
        let text = try Self.text(delta["content"])
        content += text
        reasoning += delta["reasoning_content"]?.string ?? ""
        for call in delta["tool_calls"]?.array ?? [] { take(toolCall: call) }
        return text
    }

    /// Whether the stream said that it is over.
    var isOver: Bool { isDone }

    /// Checks that a stream which ended was whole.
    ///
    /// - Throws: ``UpstreamFailure`` when it broke off.
    func checkEnd() throws(UpstreamFailure) {
        guard isDone || finishReason != nil else {
            throw .unreadable("its stream broke off in the middle of the answer")
        }
        guard hasChoice else { throw .unreadable("its stream held no choices") }
    }

    /// The tokens, as far as the upstream counts them.
    var promptTokens: Int? { Self.tokens(usage?["prompt_tokens"]) }
    /// The tokens, as far as the upstream counts them.
    var completionTokens: Int? { Self.tokens(usage?["completion_tokens"]) }

    /// The result of a job; `model` is the one that was asked for.
    func result(model asked: String) -> JSONObject {
        var result = JSONObject([
            ("content", .string(content)), ("model", .string(model ?? asked)), ("usage", usage ?? .null),
        ])
        if !reasoning.isEmpty { result["reasoning_content"] = .string(reasoning) }
        if !toolCalls.isEmpty { result["tool_calls"] = .array(toolCalls) }
        result["finish_reason"] = finishReason.map { .string($0) } ?? .null
        return result
    }

    private mutating func takeHead(_ json: JSON, _ upstream: Upstream) throws(UpstreamFailure) {
        guard json.object != nil else { throw .unreadable("the answer is no object") }
        if let error = json["error"], error != .null {
            let words = UpstreamFailure.words(json).map(upstream.withoutKey) ?? "no reason was given"
            throw .unreadable("it answered with an error: \(words)")
        }
        if let name = json["model"]?.string, !name.isEmpty { model = name }
        if let used = json["usage"], used.object != nil { usage = used }
    }

    private mutating func take(toolCall piece: JSON) {
        let index = piece["index"]?.int ?? toolCalls.count
        guard (0..<128).contains(index), index <= toolCalls.count else { return }
        if index == toolCalls.count {
            toolCalls.append(["id": "", "type": "function", "function": ["name": "", "arguments": ""]])
        }
        let known = toolCalls[index]
        let function: JSON = [
            "name": .string((known["function"]?["name"]?.string ?? "") + (piece["function"]?["name"]?.string ?? "")),
            "arguments": .string(
                (known["function"]?["arguments"]?.string ?? "") + (piece["function"]?["arguments"]?.string ?? "")
            ),
        ]
        let id = piece["id"]?.string ?? known["id"]?.string ?? ""
        toolCalls[index] = ["id": .string(id), "type": "function", "function": function]
    }

    private static func text(_ content: JSON?) throws(UpstreamFailure) -> String {
        switch content {
        case nil, .null: return ""
        case .string(let text): return text
        case .array(let parts): return parts.compactMap { $0["text"]?.string }.joined()
        default: throw .unreadable("the answer's content is no text")
        }
    }

    private static func tokens(_ json: JSON?) -> Int? {
        json?.int.flatMap { (0...1_000_000_000_000).contains($0) ? $0 : nil }
    }

    private static func json(_ bytes: [UInt8], _ what: String) throws(UpstreamFailure) -> JSON {
        do {
            return try JSON(parsing: bytes)
        } catch {
            throw .unreadable("\(what) is not JSON: \(error.message)")
        }
    }
}
