// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// An upstream that a service calls; one of an ordered list.
///
/// Its texts may name variables of the worker's environment, `${NAME}` or `${NAME:-default}`: a definition holds no
/// secret. A provider whose address comes out empty is not configured and is passed over.
public struct Provider: Sendable, Hashable {
    /// Its name in records and logs.
    public var name: String
    /// What it speaks, where the engine knows several; nil for the engine's own.
    public var kind: String?
    /// The address: for `openai` up to and including `/v1`, or without; for `http` the whole URL.
    public var url: String
    /// The bearer token; nil for none.
    public var key: String?
    /// The model to ask for; nil when the input names it.
    public var model: String?
    /// How long one call may take.
    public var timeout: String?
    /// What a million prompt tokens cost in US dollars.
    public var promptPrice: Double?
    /// What a million completion tokens cost in US dollars.
    public var completionPrice: Double?

    /// Makes a provider.
    public init(
        name: String,
        kind: String? = nil,
        url: String,
        key: String? = nil,
        model: String? = nil,
        timeout: String? = nil,
        promptPrice: Double? = nil,
        completionPrice: Double? = nil
    ) {
        self.name = name
        self.kind = kind
        self.url = url
        self.key = key
        self.model = model
        self.timeout = timeout
        self.promptPrice = promptPrice
        self.completionPrice = completionPrice
    }
}
