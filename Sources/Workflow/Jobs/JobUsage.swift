// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What is known of what a job used; see the job contract, `usage`.
public struct JobUsage: Sendable, Hashable {
    /// The time a GPU was held, in milliseconds.
    public var gpuMilliseconds: Int?
    /// What it cost, in US dollars.
    public var costUSD: Double?
    /// The tokens that a model read.
    public var promptTokens: Int?
    /// The tokens that a model wrote.
    public var completionTokens: Int?

    /// Makes a usage.
    public init(
        gpuMilliseconds: Int? = nil,
        costUSD: Double? = nil,
        promptTokens: Int? = nil,
        completionTokens: Int? = nil
    ) {
        self.gpuMilliseconds = gpuMilliseconds
        self.costUSD = costUSD
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
    }

    /// Whether nothing is known.
    public var isEmpty: Bool { self == JobUsage() }

    /// The usage as JSON: what is known of `gpu_ms`, `cost_usd`, `prompt_tokens` and `completion_tokens`.
    public var json: JSON {
        var object = JSONObject()
        if let gpuMilliseconds { object["gpu_ms"] = .number(JSONNumber(gpuMilliseconds)) }
        if let costUSD { object["cost_usd"] = .number(JSONNumber(costUSD)) }
        if let promptTokens { object["prompt_tokens"] = .number(JSONNumber(promptTokens)) }
        if let completionTokens { object["completion_tokens"] = .number(JSONNumber(completionTokens)) }
        return .object(object)
    }

    /// Reads a usage from JSON; members that are not numbers are passed over.
    public init(json: JSON) {
        gpuMilliseconds = json["gpu_ms"]?.int
        // JSON can write numbers that no Double holds, and an endless cost could not be written again.
        costUSD = json["cost_usd"]?.double.flatMap { $0.isFinite ? $0 : nil }
        promptTokens = json["prompt_tokens"]?.int
        completionTokens = json["completion_tokens"]?.int
    }
}
