// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

extension Provider {
    /// The provider with the values of these variables in its texts.
    public func expanded(in environment: [String: String]) -> Provider {
        var provider = self
        provider.kind = value(kind, environment)
        provider.url = value(url, environment) ?? ""
        provider.key = value(key, environment)
        provider.model = value(model, environment)
        provider.timeout = value(timeout, environment)
        return provider
    }

    /// Whether it has an address; for a provider whose variables have been expanded.
    public var isConfigured: Bool { !url.isEmpty }

    /// The variables of its address: one of them is to be set for it to be used.
    public var addressVariables: [String] { EnvironmentText(url)?.variables ?? [] }

    private func value(_ text: String?, _ environment: [String: String]) -> String? {
        guard let text else { return nil }
        let value = EnvironmentText.expand(text, in: environment).trimmingWhitespace
        return value.isEmpty ? nil : value
    }
}

extension ServiceDefinition.Engine {
    /// The upstreams that it calls, in their order; none for engines that call none.
    public var providers: [Provider] {
        switch self {
        case .openai(let providers, _), .http(let providers, _), .transcription(let providers, _): providers
        case .native, .process, .remote: []
        }
    }
}

extension ServiceDefinition.Taken {
    /// A task type as it is compared: `transcribe` and `transcription` are one.
    public static func normal(_ taskType: String) -> String { taskType == "transcribe" ? "transcription" : taskType }

    /// The same with the task type as it is compared.
    public var normal: Self { Self(taskType: Self.normal(taskType), modelProfile: modelProfile) }

    /// The same with the values of these variables; a model profile that comes out empty takes any.
    public func expanded(in environment: [String: String]) -> Self {
        let profile = modelProfile.map { EnvironmentText.expand($0, in: environment).trimmingWhitespace }
        return Self(
            taskType: EnvironmentText.expand(taskType, in: environment).trimmingWhitespace,
            modelProfile: profile?.isEmpty == true ? nil : profile
        )
    }
}

extension ServiceDefinition.Taken: CustomStringConvertible {
    /// The task type, and the model profile when one is asked for.
    public var description: String { taskType + (modelProfile.map { " with \($0)" } ?? "") }
}

extension String {
    /// The text without white space around it.
    var trimmingWhitespace: String {
        guard let start = firstIndex(where: { !$0.isWhitespace }), let end = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[start...end])
    }
}
