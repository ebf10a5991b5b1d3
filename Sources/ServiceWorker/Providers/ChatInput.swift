// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What a chat job asks for; members that no chat knows are the caller's own and are passed over.
struct ChatInput: Sendable {
    /// The conversation, as it goes upstream.
    let messages: JSON
    /// The model that the caller asks for, where the provider names none.
    let model: String?
    /// Whether the caller wants the answer in pieces; nil when it does not say.
    let wantsStream: Bool?
    private let settings: JSONObject

    /// The members that go upstream as they are.
    private static let passed = [
        "max_tokens", "max_completion_tokens", "response_format", "temperature", "top_p", "stop", "seed",
        "presence_penalty", "frequency_penalty", "logit_bias", "tools", "tool_choice", "parallel_tool_calls",
        "reasoning_effort", "chat_template_kwargs",
    ]

    /// Reads a job's input: `messages`, or `system` and `user` (or `prompt`).
    ///
    /// - Throws: `JobError` that names the field which is wrong.
    init(_ input: JSON, defaults: JSON?) throws(JobError) {
        messages = try Self.messages(of: input)
        model = input["model"]?.string
        wantsStream = input["stream"]?.bool
        var settings = defaults?.object ?? JSONObject()
        for name in Self.passed {
            if let value = input[name], value != .null { settings[name] = value }
        }
        if let tokens = settings["max_tokens"], tokens.int.map({ $0 > 0 }) != true {
            throw JobError(.invalidInput, "'max_tokens' is a whole number from 1", field: "/max_tokens")
        }
        self.settings = settings
    }

    /// The body of the request.
    func body(model: String, stream: Bool) -> [UInt8] {
        var body = settings
        body["model"] = .string(model)
        body["messages"] = messages
        body["stream"] = .bool(stream)
        body["stream_options"] = stream ? ["include_usage": true] : nil
        return JSON.object(body).bytes
    }

    private static func messages(of input: JSON) throws(JobError) -> JSON {
        if let given = input["messages"], given != .null {
            guard let list = given.array, !list.isEmpty, list.allSatisfy({ $0["role"]?.string != nil }) else {
                throw JobError(
                    .invalidInput,
                    "'messages' is a list of at least one object with role and content",
                    field: "/messages"
                )
            }
            return given
        }
        var messages: [JSON] = []
        for (role, names) in [("system", ["system"]), ("user", ["user", "prompt"])] {
            guard let name = names.first(where: { input[$0].map { $0 != .null } ?? false }), let value = input[name]
            else { continue }
            guard let text = value.string else {
                throw JobError(.invalidInput, "'\(name)' is a text", field: "/\(name)")
            }
            messages.append(["role": .string(role), "content": .string(text)])
        }
        guard messages.contains(where: { $0["role"] == "user" }) else {
            throw JobError(
                .invalidInput,
                "there is nothing to answer: give 'messages', or 'user' and, if you like, 'system'",
                field: "/messages"
            )
        }
        return .array(messages)
    }
}
