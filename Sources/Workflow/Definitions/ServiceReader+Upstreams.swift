// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The providers of a service and their options.
extension ServiceReader {
    /// What a provider of a transcription can speak.
    static let kinds = ["whisperx", "whisperx-asr", "whisperx-task", "openai-audio", "audio-llm"]
    /// The options of each engine with the form of their values.
    static let openai: [(String, OptionForm)] = [("stream", .flag), ("defaults", .map), ("max_answer", .size)]
    static let http: [(String, OptionForm)] = [("headers", .texts), ("max_answer", .size)]
    static let transcription: [(String, OptionForm)] = [
        ("order", .text), ("compare", .flag), ("prompt", .text), ("max_tokens", .count), ("max_audio", .size),
        ("max_answer", .size),
    ]

    private static let provider = [
        "name", "kind", "base_url", "url", "api_key", "model", "timeout", "prompt_price_per_million",
        "completion_price_per_million",
    ]

    /// Reads the providers and checks the options; `kinds` are those that a provider must choose from, if any.
    mutating func upstreams(_ kinds: [String], options: [(String, OptionForm)]) -> [Provider]? {
        check(options)
        let form = "a list of providers with name and base_url"
        guard let member = fields.required("providers", form) else { return nil }
        guard case .list(let nodes) = member.value.content, !nodes.isEmpty else {
            fields.wrong(member, "a list of at least one provider with name and base_url")
            return nil
        }
        var providers: [Provider] = []
        for node in nodes {
            guard let provider = provider(node, kinds) else { continue }
            if providers.contains(where: { $0.name == provider.name }) {
                fields.add(node.line, "has two providers named '\(provider.name)'")
            }
            providers.append(provider)
        }
        return providers
    }

    private mutating func provider(_ node: SourceNode, _ kinds: [String]) -> Provider? {
        let given = node["name"]?.text
        var reader = FieldReader(
            node,
            what: given.map { "provider '\($0)' of \(fields.what)" } ?? "a provider of \(fields.what)",
            file: fields.file,
            names: Self.provider
        )
        defer { fields.add(contentsOf: reader.problems) }
        guard let member = reader.required("name", "name: a-name-for-records") else { return nil }
        let name = reader.environmentText("name", "a name") { _ in nil } ?? ""
        if name.isEmpty { reader.wrong(member, "a name") }
        if reader.field("base_url") != nil, let second = reader.field("url") {
            reader.add(second.line, "has both 'base_url' and 'url'; they mean the same: leave one out")
        }
        let address = reader.field("url") == nil ? "base_url" : "url"
        guard reader.required(address, "base_url: \"${VARIABLE}\" or an address such as http://host:8000") != nil else {
            return nil
        }
        var provider = Provider(
            name: name,
            url: reader.environmentText(address, "a URL") {
                $0.hasPrefix("http://") || $0.hasPrefix("https://") ? nil : "a URL that begins with http:// or https://"
            } ?? ""
        )
        provider.kind = kind(&reader, kinds)
        provider.key = key(&reader)
        provider.model = reader.environmentText("model", "the name of a model") { _ in nil }
        provider.timeout = reader.environmentText("timeout", "a time", OptionForm.duration.fault)
        provider.promptPrice = reader.price("prompt_price_per_million")
        provider.completionPrice = reader.price("completion_price_per_million")
        return provider
    }

    private func kind(_ reader: inout FieldReader, _ kinds: [String]) -> String? {
        guard !kinds.isEmpty else {
            if let member = reader.field("kind") {
                reader.add(member.line, "has 'kind', which is only for engine: transcription; leave it out")
            }
            return nil
        }
        guard reader.required("kind", "kind: \(Self.list(kinds))") != nil else { return nil }
        return reader.environmentText("kind", "a kind") { kinds.contains($0) ? nil : Self.list(kinds) }
    }

    private func key(_ reader: inout FieldReader) -> String? {
        guard let member = reader.field("api_key"), let text = member.value.text else {
            return reader.environmentText("api_key", "a variable such as ${LLM_API_KEY}") { _ in nil }
        }
        guard let parsed = EnvironmentText(text), !parsed.variables.isEmpty else {
            // The value is not shown: it is a secret.
            reader.add(
                member.line,
                "has an 'api_key' that is written out; a definition holds no secret: name a variable such as "
                    + "${LLM_API_KEY}"
            )
            return nil
        }
        return text
    }

    private mutating func check(_ options: [(String, OptionForm)]) {
        guard let member = fields.field("options"), member.value.members != nil else { return }
        var reader = FieldReader(
            member.value,
            what: "options of \(fields.what)",
            file: fields.file,
            names: options.map(\.0)
        )
        for (name, form) in options { form.check(name, in: &reader) }
        fields.add(contentsOf: reader.problems)
    }

    /// Reads `takes`.
    mutating func takes() -> [ServiceDefinition.Taken] {
        guard let member = fields.field("takes") else { return [] }
        guard case .list(let nodes) = member.value.content else {
            fields.wrong(member, "a list of maps with task_type and, if it matters, model_profile")
            return []
        }
        return nodes.compactMap { node in
            var reader = FieldReader(
                node,
                what: "takes of \(fields.what)",
                file: fields.file,
                names: ["task_type", "model_profile"]
            )
            defer { fields.add(contentsOf: reader.problems) }
            guard reader.required("task_type", "task_type: what-callers-ask-for") != nil,
                let type = reader.environmentText("task_type", "a task type", { _ in nil })
            else { return nil }
            let profile = reader.environmentText("model_profile", "a model profile") { _ in nil }
            return ServiceDefinition.Taken(taskType: type, modelProfile: profile)
        }
    }

    /// Reads `modules`.
    mutating func modules() -> [String] {
        guard let member = fields.field("modules") else { return [] }
        let words = member.value.json.array?.compactMap(\.string) ?? []
        if words.isEmpty || words.count != member.value.json.array?.count || words.contains("") {
            fields.wrong(member, "a list of names such as [asr]")
        }
        return words
    }
}
